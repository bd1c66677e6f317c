"""Engine tests: torch on one CPU thread, without gradients, on models built for them (toy.py)."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for toy and lessons


@pytest.fixture(autouse=True)
def _one_thread_no_gradients():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bench():
    """The lab's FLUX, as a calibration sees it."""
    from lessons import STEPS

    from lab.bench import LabBench
    from lab.families import FLUX

    return LabBench(FLUX, STEPS)


@pytest.fixture(scope="module")
def found(bench):
    """Findings of a calibration with it."""
    from lessons import calibrated

    return calibrated(bench)


@pytest.fixture
def fail_clone(monkeypatch):
    """A function that lets the `nth` call of Tensor.clone from there on find no memory; it returns a list that gets
    the shapes it is called for."""

    def fail(nth: int) -> list[torch.Size]:
        calls, clone = [], torch.Tensor.clone

        def full(self, **kwargs):
            calls.append(self.shape)
            if len(calls) == nth:
                raise torch.OutOfMemoryError("no room")
            return clone(self, **kwargs)

        monkeypatch.setattr(torch.Tensor, "clone", full)
        return calls

    return fail

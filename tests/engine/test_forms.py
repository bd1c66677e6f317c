"""Forms in which outputs are kept, on the trained lab model: the distance of its latents from the exact ones."""

import pytest
import torch
from toy import prepare_runs, standing

from cache_core import Plan, TwoStage
from cache_core.store import Rung
from lab.sample import flow_sigmas, load, noise_of, sample

EVERY, MERGED = Rung(), Rung(merged=True)


@pytest.fixture(scope="module")
def trained():
    return load()[0]


def latents(model, plans, rungs, monkeypatch):
    prepare_runs(monkeypatch, standing(*rungs))
    return sample(model, noise_of([7]), torch.tensor([4]), flow_sigmas(20), plans)


@pytest.mark.parametrize(
    ("schedule", "base"), [(TwoStage(3, 3, 2), EVERY), (TwoStage(2, 2, 2), MERGED)], ids=["mixed", "together"]
)
def test_host_memory_costs_nothing_and_8_bits_a_hundredth_at_most(schedule, base, trained, monkeypatch):
    plans = (Plan(schedule),)
    small = Rung(base.merged, False, True)
    (exact, told), (away, told_away), (rough, told_small) = (
        latents(trained, plans, (rung,), monkeypatch) for rung in (base, Rung(base.merged, True), small)
    )
    assert torch.equal(away, exact)
    assert 0 < (rough - exact).norm() <= 0.01 * exact.norm()
    assert told_away.peak_host_bytes == told.peak_bytes > 3 * told_small.peak_bytes
    assert min(told.shares.values()) < 0.8

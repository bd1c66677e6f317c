"""Engine tests: torch on one CPU thread, without gradients, on models built for them (toy.py)."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for toy


@pytest.fixture(autouse=True)
def _one_thread_no_gradients():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(before)

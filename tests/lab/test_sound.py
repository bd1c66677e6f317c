"""The lab's measurement of video and sound apart."""

import pytest
import torch

from lab import sound
from lab.packed import LATENTS, SIZES
from lab.sound import Cell, Setting, drifts, table


@pytest.fixture(scope="module")
def cell():
    return Cell(Setting("euler", 1.0, apart=False), clips=2)


@pytest.mark.parametrize(("own", "other", "place"), [("video", "audio", 0), ("audio", "video", 1)])
def test_what_changes_one_of_them_counts_for_it_alone(cell, own, other, place):
    samples = cell.uncached.clone()
    samples.split(SIZES, -1)[place].add_(0.1)
    row = cell.row("changed", 20, samples)
    assert row[f"{own}_drift"] > 0.01
    assert row[f"{own}_psnr_db"] < 60
    assert row[f"{other}_drift"] == 0.0


def test_drift_is_the_relative_distance_of_each_clip():
    before = torch.ones(2, *LATENTS)
    changed = before + torch.tensor([0.1, 0.3]).view(2, 1, 1)
    assert drifts(changed, before).tolist() == pytest.approx([0.1, 0.3], rel=1e-5)


def test_learned_plans_are_nearer_than_as_many_steps(cell, monkeypatch):
    monkeypatch.setattr(sound, "LEARNERS", 1)
    fewer, learned = cell.fewer(10), cell.learned("quality", 2.0)
    assert learned["evaluations"] == 10
    for kind in ("video", "audio"):
        assert learned[f"{kind}_psnr_db"] > fewer[f"{kind}_psnr_db"] + 3
    assert len(table([fewer, learned]).splitlines()) == 4

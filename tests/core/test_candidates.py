"""Which schedules a calibration tries, and what it may cost."""

import pytest

from cache_core import ConfigError
from cache_core.calibrate import Allowance, Memo, Request
from cache_core.calibrate.ab import dense_early, neighbours


@pytest.mark.parametrize("steps", [20, 28, 50, 100])
@pytest.mark.parametrize("speedup", [1.2, 2, 3, 5, 8])
def test_a_dense_early_schedule_has_the_steps_asked_for_the_first_and_last_among_them_and_wider_gaps_later(
    steps, speedup
):
    count = Request(speedup).count(steps)
    chosen = dense_early(steps, count)
    assert len(set(chosen)) == count
    assert (chosen[0], chosen[-1]) == (0, steps - 1)
    gaps = [b - a for a, b in zip(chosen, chosen[1:], strict=False)]
    assert all(a > 0 for a in gaps)
    assert max(gaps[: len(gaps) // 2]) <= max(gaps[len(gaps) // 2 :])


def test_neighbours_differ_in_one_step_by_one_or_two_and_keep_both_ends():
    steps = (0, 1, 5, 9)
    found = neighbours(steps)
    assert found == [(0, 2, 5, 9), (0, 3, 5, 9), (0, 1, 3, 9), (0, 1, 4, 9), (0, 1, 6, 9), (0, 1, 7, 9)]
    assert neighbours((0, 1, 2)) == []


@pytest.mark.parametrize(("budget", "samples"), [(2, 1), (4, 1), (4.1, 2), (12, 5), (100, 8)])
def test_as_many_samples_are_recorded_as_leave_enough_for_two_attempts_and_the_last_fit(budget, samples):
    assert Request(3, samples=8, budget=budget).affordable(50) == samples


def test_an_allowance_affords_what_is_left_and_says_how_much_is_spent():
    said = []
    allowance = Allowance(2.0, lambda share, doing: said.append((share, doing)))
    allowance.say("recording", ahead=0.5)
    allowance.spend(1.0)
    assert allowance.affords(1.0)
    assert not allowance.affords(1.01)
    assert said == [(0.25, "recording"), (0.5, "recording")]


@pytest.mark.parametrize(
    "wrong", [{"speedup": 1.0}, {"speedup": float("nan")}, {"drift": -0.1}, {"samples": 0}, {"budget": 1.9}]
)
def test_a_request_out_of_range_is_refused(wrong):
    with pytest.raises(ConfigError, match="allowed is"):
        Request(**wrong)


def test_what_was_made_is_read_again_and_what_is_damaged_is_made_again(tmp_path):
    import torch

    memo, made = Memo(tmp_path / "of" / "this"), []

    def make():
        made.append(1)
        return {"x": torch.arange(3.0)}

    for _ in range(2):
        assert torch.equal(memo.of("first", make)["x"], torch.arange(3.0))
    assert len(made) == 1
    (memo.folder / "first.safetensors").write_bytes(b"half a fi")
    assert torch.equal(memo.of("first", make)["x"], torch.arange(3.0))
    assert len(made) == 2
    memo.clear()
    assert not memo.folder.exists()

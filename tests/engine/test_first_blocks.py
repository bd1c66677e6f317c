"""Decisions by what the first blocks add: they run once, and the others only where they are computed."""

from collections import Counter
from functools import wraps

import pytest
import torch
from residuals import by_hand
from test_ranges import streams
from toy import Bench, Double, Single, inputs, toy

from cache_core import MODULES, Frame, Kind, Plan
from cache_core.predictor import Blended
from cache_core.run.readings import Probing, distance
from cache_core.schedule import Added, Online, Probe
from cache_core.site import Range

BEHIND = (Range("double_blocks", 1, 3), Range("single_blocks", 0, 3))
LATE = (Range("single_blocks", 1, 3),)
ALL = (Range("double_blocks", 0, 3), Range("single_blocks", 0, 3))


def model():
    return toy((Double,) * 3, (Single,) * 3)


def bench(threshold, ranges=BEHIND, made=None, **how):
    schedule = Online(MODULES, Added(), threshold, summed=False, frame=Frame(1, 0), **how)
    return Bench(made or model(), Plan(schedule, merge=True, ranges=ranges))


def marks(run):
    return "".join("." if e.predicted_calls[Kind.MLP] else "#" for e in run.evaluations)


def states(count=6):
    image, time, text = inputs()
    return [(image * 1.05**step, time, text) for step in range(count)]


def added(made, given, last=0):
    """What the first double blocks, up to `last`, add to the image."""
    found = streams(made, *given)
    return found["double_blocks", last][1][0] - found["double_blocks", 0][0][0]


@pytest.mark.parametrize("ranges", [BEHIND, LATE])
def test_a_threshold_of_zero_is_bit_identical_and_runs_each_block_once(ranges, monkeypatch):
    made = model()
    plain = [made(*given, {}) for given in states()]
    ran, own = Counter(), {kind: kind.forward for kind in (Double, Single)}
    for kind in own:

        @wraps(own[kind])  # for the names of its arguments
        def counted(self, *args, kind=kind, **kwargs):
            ran[self] += 1
            return own[kind](self, *args, **kwargs)

        monkeypatch.setattr(kind, "forward", counted)
    run = bench(0.0, ranges, made)
    for given, wanted in zip(states(), plain, strict=True):
        assert torch.equal(run(*given), wanted)
    assert marks(run.run) == "######"
    assert set(ran.values()) == {6}
    assert len(ran) == 6


@pytest.mark.parametrize(("ranges", "last"), [(BEHIND, 0), (LATE, 2)])
def test_the_reading_is_the_distance_from_the_evaluation_computed_last(ranges, last):
    made, given = model(), states()
    values = [added(made, one, last) for one in given]
    apart = [distance(value, values[0]) for value in values]
    assert apart == sorted(apart)
    for reached in (2, 4):
        threshold = (apart[reached - 1] + apart[reached]) / 2
        run = bench(threshold, ranges)
        for one in given[: reached + 1]:
            run(*one)
        assert marks(run.run) == "#" + "." * (reached - 1) + "#"


def test_a_predicted_call_computes_the_first_block_and_adds_what_is_kept():
    made = model()
    before = streams(made, *states()[0])
    run = bench(10.0, made=made)
    run(*states()[0])
    (image, text), (image_out, text_out) = before["double_blocks", 1][0], before["double_blocks", 2][1]
    kept = {
        "double_blocks.img": image_out - image,
        "double_blocks.txt": text_out - text,
        "single_blocks.x": before["single_blocks", 2][1][0] - before["single_blocks", 0][0][0],
    }
    now = streams(made, *states()[3])["double_blocks", 0][1]
    assert torch.equal(run(*states()[3]), by_hand(*now, kept))


def probed(made, given):
    """The image as the first double block returns it."""
    return streams(made, *given)["double_blocks", 0][1][0]


def test_a_probe_blends_the_last_two_residuals_by_its_gain():
    """Computed at 0 and 1, predicted at 2, where the probe has moved on by a gain."""
    made, given = model(), states()
    schedule = Online(MODULES, Probe(), 10.0, frame=Frame(2, 0))
    run = Bench(made, Plan(schedule, Blended(), merge=True, ranges=BEHIND))
    for one in given[:2]:
        run(*one)
    older, newer, now = (probed(made, one) for one in given[:3])
    gain = float((now - older).abs().mean() / (newer - older).abs().mean())
    assert gain > 1.5
    kept = {site: run.run.store[(kind, site, stream)] for kind, site, stream in run.run.store}
    added = {
        wanted: kept[found].combine((1.5, -0.5))
        for wanted, found in zip(
            ("double_blocks.img", "double_blocks.txt", "single_blocks.x"),
            ("double_blocks.1-2.img", "double_blocks.1-2.txt", "single_blocks.x"),
            strict=True,
        )
    }
    after = streams(made, *given[2])["double_blocks", 0][1]
    torch.testing.assert_close(run(*given[2]), by_hand(*after, added))
    assert marks(run.run) == "##."


def test_the_gain_of_a_probe_is_bounded_and_unknown_at_first():
    x, reader = torch.ones(1, 4, 2), Probing()
    for value, gain in ((1.0, None), (2.0, None)):
        reader.read(value * x, 1.0, 1.0, True)
        assert reader.gain is gain
        reader.computed()
    for value, gain in ((2.2, 1.2), (1.5, 1.0), (9.0, 1.5)):
        reader.read(value * x, 1.0, 1.0, False)
        assert reader.gain == pytest.approx(gain)
    assert reader.read(18.0 * x, 1.0, 1.0, False) == pytest.approx(1.0)  # from the evaluation before, computed or not


def test_calls_of_one_evaluation_follow_the_first():
    run = bench(10.0)
    first, second = states(2)
    for given in (first, second):
        run(*given, conditionings=("one",))
    assert marks(run.run) == "#."
    assert not run.run.evaluation.open


def test_without_a_block_before_the_ranges_everything_is_computed():
    made = model()
    run = bench(10.0, ALL, made)
    for given in states(3):
        assert torch.equal(run(*given), made(*given, {}))
    assert "no block runs at every step" in run.run.demotions[0]


def test_nothing_is_left_on_the_model():
    made = model()
    run = bench(10.0, made=made)
    for given in states(2):
        run(*given)
    assert not any("forward" in vars(module) for module in made.modules())

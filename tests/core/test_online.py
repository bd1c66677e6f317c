"""Schedules that decide during the run, replayed on readings that are known: METHODS_RELATED.md section 1."""

import math

import pytest

from cache_core import MODULES, ConfigError, Frame, Kind, Plan, Timeline
from cache_core.schedule import Displacement, Modulated, Online
from cache_core.site import OUTPUT

LINE = Timeline.even(20)
CONSTANT = (0.0,) + (0.1,) * 19


def computed(readings=CONSTANT, **how):
    rule = Online(MODULES, Modulated(), **{"threshold": 0.35, **how})
    return rule.replayed(readings, LINE).computed(Kind.MLP)


def test_a_threshold_of_zero_computes_all_and_an_infinite_one_the_first_and_the_last():
    assert computed(threshold=0.0) == tuple(range(20))
    assert computed(threshold=math.inf) == (0, 19)


@pytest.mark.parametrize("threshold", [0.05, 0.15, 0.25, 0.35, 0.65])
def test_where_each_change_is_the_same_the_period_is_the_threshold_over_it_rounded_up(threshold):
    period = math.ceil(threshold / 0.1)
    assert computed(threshold=threshold) == tuple(sorted({*range(0, 20, period), 19}))


def test_at_the_threshold_itself_it_computes():
    assert computed((0.0,) + (0.25,) * 19, threshold=0.5) == (*range(0, 20, 2), 19)


def test_no_more_in_a_row_than_the_most():
    assert computed(threshold=math.inf, most=3) == (0, 4, 8, 12, 16, 19)
    assert computed(threshold=math.inf, most=0) == tuple(range(20))


def test_without_a_sum_only_the_newest_reading_counts():
    rising = [0.0, *(0.02 * step for step in range(1, 20))]
    assert computed(rising, summed=False, threshold=0.2) == (0, *range(10, 20))


def test_a_curve_knows_the_step_and_the_one_computed_last():
    seen = []

    def curve(reading, step, last):
        seen.append((step, last))
        return reading

    computed(curve=curve)
    assert seen[:6] == [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 4)]


@pytest.mark.parametrize("unknown", [math.nan, math.inf])
def test_what_cannot_be_read_computes(unknown):
    assert computed((0.0, 0.0, unknown, *(0.0,) * 17), threshold=1.0) == (0, 2, 19)
    assert computed((0.0,) * 5, threshold=1.0) == (0, *range(5, 20))  # nor what is not there


def test_steps_outside_the_frame_are_computed():
    assert computed(threshold=math.inf, frame=Frame(3, 2)) == (0, 1, 2, 18, 19)


@pytest.mark.parametrize("wrong", [{"threshold": -0.1}, {"threshold": math.nan}, {"threshold": 0.1, "most": -1}])
def test_a_threshold_below_zero_is_refused(wrong):
    with pytest.raises(ConfigError):
        Online(MODULES, Modulated(), **wrong)


def test_the_first_block_cannot_be_read_for_a_model_whose_output_alone_is_reused():
    with pytest.raises(ConfigError, match="without the blocks"):
        Plan(Online(OUTPUT, Modulated(), 0.1))
    assert Plan(Online(OUTPUT, Displacement(), 0.1)).online

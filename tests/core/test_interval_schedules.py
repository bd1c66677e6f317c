"""Intervals, frames, explicit lists, and the rule that decides during the run."""

from itertools import pairwise, product
from random import Random

import pytest

from cache_core import OUTPUT, Adaptive, ConfigError, Frame, Interval, Kind, Steps, Timeline, evenly, parse_steps

UNFRAMED = Frame(warmup=0, final=0)


def timeline(steps):
    return Timeline.flow(tuple(1 - i / steps for i in range(steps + 1)))


def computed(schedule, steps):
    return schedule.table(timeline(steps)).computed(Kind.MODEL)


def test_the_released_ab_cache_schedule_for_flux():
    released = Interval(OUTPUT, 6, Frame(warmup=5, final=0))
    assert computed(released, 50) == tuple(i for i in range(50) if i < 5 or i % 6 == 0)
    assert len(computed(released, 50)) == 13


def test_an_interval_of_one_computes_every_step():
    assert computed(Interval(OUTPUT, 1), 20) == tuple(range(20))


def test_the_first_step_is_computed_even_without_a_warm_up():
    assert computed(Interval(OUTPUT, 7, UNFRAMED), 20) == (0, 7, 14)


def test_warm_up_and_final_steps_are_computed():
    assert computed(Interval(OUTPUT, 100, Frame(warmup=4, final=3)), 20) == (0, 1, 2, 3, 17, 18, 19)


def test_steps_outside_the_window_are_computed():
    assert computed(Interval(OUTPUT, 100, Frame(0, 0, start=0.25, end=0.75)), 20) == (*range(5), *range(16, 20))


def test_percentages_follow_the_samplings_own_map_from_percent_to_sigma():
    def shifted(s):
        return 3 * s / (1 + 2 * s)

    even = timeline(20)
    sigmas = tuple(map(shifted, even.sigmas))
    steep = Timeline(sigmas, sigmas[:-1], lambda percent: shifted(1 - percent))
    windowed = Interval(OUTPUT, 100, Frame(0, 0, start=0.25, end=0.75))
    assert windowed.table(steep) == windowed.table(even)
    assert windowed.table(Timeline.flow(sigmas)) != windowed.table(even)


def any_frame(draw):
    """A frame with a window, and a step count from 8 to 1000 for it."""
    start, end = sorted(draw.sample(range(101), 2))
    return Frame(draw.randrange(101), draw.randrange(101), start / 100, end / 100), draw.randint(8, 1000)


def test_behind_a_warm_up_of_eight_an_interval_of_eight_is_no_slower_than_one_of_seven():
    # Was wrong once (interval.Interval): 14 alone is a multiple of 7 there, but 8 and 16 are of 8: 2.00x and 1.82x.
    seven, eight = (computed(Interval(OUTPUT, interval, Frame(warmup=8)), 20) for interval in (7, 8))
    assert len(eight) == len(seven) == 10


def test_a_larger_interval_never_computes_more_steps():
    for steps, warmup, final in product(range(8, 61), (0, 1, 3, 5, 8, 12), (0, 1, 3)):
        frame = Frame(warmup, final)
        counts = [len(computed(Interval(OUTPUT, interval, frame), steps)) for interval in range(1, 13)]
        assert counts == sorted(counts, reverse=True), (steps, frame)


@pytest.mark.parametrize("seed", range(40))
def test_a_larger_interval_never_computes_more_steps_of_any_window(seed):
    draw = Random(seed)
    (frame, steps), intervals = any_frame(draw), sorted(draw.sample(range(1, 101), 8))
    counts = [len(computed(Interval(OUTPUT, interval, frame), steps)) for interval in intervals]
    assert counts == sorted(counts, reverse=True)


def test_an_interval_is_kept_wherever_no_shorter_one_computes_less():
    for steps, warmup, interval in product((20, 28, 50), range(9), range(1, 13)):
        places = [
            tuple(s for s in range(steps) if s % n == 0 or s < warmup or s == steps - 1) for n in range(1, interval + 1)
        ]
        if len(places[-1]) == min(map(len, places)):
            assert computed(Interval(OUTPUT, interval, Frame(warmup)), steps) == places[-1]


@pytest.mark.parametrize("seed", range(40))
def test_where_more_may_be_predicted_in_a_row_no_more_steps_are_computed(seed):
    draw = Random(seed)
    frame, steps = any_frame(draw)
    apart = [draw.random() ** 4 for _ in range(steps)]

    def count(most):
        rule, total, predicted, done = Adaptive(OUTPUT, 0.5, most, frame), 0.0, 0, 0
        for step in range(steps):
            total += apart[step]
            if frame.forces(step, timeline(steps)) or rule.computes(total, predicted):
                total, predicted, done = 0.0, 0, done + 1
            else:
                predicted += 1
        return done

    assert all(count(most) >= count(more) for most, more in pairwise((1, 2, 3, 4, 7, 8, 12, 40, 100)))


def test_a_list_computes_just_its_steps():
    assert computed(Steps(OUTPUT, (0, 3, 9)), 10) == (0, 3, 9)


@pytest.mark.parametrize(
    ("listed", "named"), [((0, 3, 20), "20"), ((-1, 0), "-1"), ((1, 2), r"\[1, 2\]"), ((), r"\[\]")]
)
def test_a_list_that_does_not_fit_the_sampling_is_refused_by_name(listed, named):
    with pytest.raises(ConfigError, match=named):
        computed(Steps(OUTPUT, listed), 20)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("0-4,6,9,13,49", (0, 1, 2, 3, 4, 6, 9, 13, 49)),
        ("7", (7,)),
        (" 3, 0 - 1 ,3", (0, 1, 3)),
        ("5-5", (5,)),
    ],
)
def test_a_written_list_is_read(text, steps):
    assert parse_steps(text) == steps


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0,x,4", "'x'"),
        ("0,,4", "''"),
        ("", "''"),
        ("0-", "'0-'"),
        ("-3", "'-3'"),
        ("4-2", "'4-2'"),
        ("1.5", "'1.5'"),
        ("0-10000", "'0-10000'"),
        ("1-2-3", "'1-2-3'"),
        ("99999999999", "'99999999999'"),
        ("²", "'²'"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_by_name(text, named):
    with pytest.raises(ConfigError, match=named):
        parse_steps(text)


def test_evenly_spaced_steps_meet_the_budget_with_both_ends_and_gaps_that_differ_by_one():
    for steps, budget in ((s, b) for s in range(2, 60) for b in range(2, s + 1)):
        chosen = evenly(steps, budget)
        gaps = [b - a for a, b in zip(chosen, chosen[1:], strict=False)]
        assert len(chosen) == budget
        assert (chosen[0], chosen[-1]) == (0, steps - 1)
        assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("budget", [1, 0, 21])
def test_a_budget_that_cannot_be_met_is_refused(budget):
    with pytest.raises(ConfigError, match=str(budget)):
        evenly(20, budget)


def test_adaptive_computes_above_its_tolerance_and_when_it_cannot_tell():
    rule = Adaptive(OUTPUT, tolerance=0.1, most=4)
    assert [rule.computes(d, 0) for d in (0.0, 0.1, 0.11, float("inf"), float("nan"))] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_adaptive_never_predicts_more_than_its_most_in_a_row():
    rule = Adaptive(OUTPUT, tolerance=0.1, most=4)
    assert [rule.computes(0.0, predicted) for predicted in (3, 4, 5)] == [False, True, True]


def test_adaptive_promises_only_what_its_frame_forces():
    assert computed(Adaptive(OUTPUT, 0.1, 4, Frame(warmup=3, final=1)), 10) == (0, 1, 2, 9)
    assert computed(Adaptive(OUTPUT, 0.1, 4, UNFRAMED), 10) == (0,)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Interval(OUTPUT, 0),
        lambda: Interval(OUTPUT, 101),
        lambda: Adaptive(OUTPUT, 0.0, 4),
        lambda: Adaptive(OUTPUT, 0.1, 0),
        lambda: Frame(warmup=-1),
        lambda: Frame(final=101),
        lambda: Frame(start=1.5),
        lambda: Frame(end=-0.5),
        lambda: Frame(start=0.6, end=0.6),
    ],
)
def test_settings_out_of_range_are_refused(build):
    with pytest.raises(ConfigError, match=r"(interval|tolerance|warmup_steps|final_steps|percent) is -?[\d.]+"):
        build()

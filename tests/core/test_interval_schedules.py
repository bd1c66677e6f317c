"""Intervals, frames, explicit lists, and the rule that decides during the run."""

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


def test_a_list_computes_just_its_steps():
    assert computed(Steps(OUTPUT, (0, 3, 9)), 10) == (0, 3, 9)


@pytest.mark.parametrize(("listed", "named"), [((0, 3, 20), "20"), ((-1, 0), "-1"), ((1, 2), r"\[1, 2\]"), ((), r"\[\]")])
def test_a_list_that_does_not_fit_the_sampling_is_refused_by_name(listed, named):
    with pytest.raises(ConfigError, match=named):
        computed(Steps(OUTPUT, listed), 20)


@pytest.mark.parametrize(("text", "steps"), [
    ("0-4,6,9,13,49", (0, 1, 2, 3, 4, 6, 9, 13, 49)),
    ("7", (7,)),
    (" 3, 0 - 1 ,3", (0, 1, 3)),
    ("5-5", (5,)),
])
def test_a_written_list_is_read(text, steps):
    assert parse_steps(text) == steps


@pytest.mark.parametrize(("text", "named"), [
    ("0,x,4", "'x'"), ("0,,4", "''"), ("", "''"), ("0-", "'0-'"), ("-3", "'-3'"), ("4-2", "'4-2'"), ("1.5", "'1.5'"), ("0-10000", "'0-10000'"),
    ("1-2-3", "'1-2-3'"), ("99999999999", "'99999999999'"), ("²", "'²'"),
])
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
    assert [rule.computes(d, 0) for d in (0.0, 0.1, 0.11, float("inf"), float("nan"))] == [False, False, True, True, True]


def test_adaptive_never_predicts_more_than_its_most_in_a_row():
    rule = Adaptive(OUTPUT, tolerance=0.1, most=4)
    assert [rule.computes(0.0, predicted) for predicted in (3, 4, 5)] == [False, True, True]


def test_adaptive_promises_only_what_its_frame_forces():
    assert computed(Adaptive(OUTPUT, 0.1, 4, Frame(warmup=3, final=1)), 10) == (0, 1, 2, 9)
    assert computed(Adaptive(OUTPUT, 0.1, 4, UNFRAMED), 10) == (0,)


@pytest.mark.parametrize("build", [
    lambda: Interval(OUTPUT, 0), lambda: Interval(OUTPUT, 101), lambda: Adaptive(OUTPUT, 0.0, 4), lambda: Adaptive(OUTPUT, 0.1, 0),
    lambda: Frame(warmup=-1), lambda: Frame(final=101), lambda: Frame(start=1.5), lambda: Frame(end=-0.5), lambda: Frame(start=0.6, end=0.6),
])
def test_settings_out_of_range_are_refused(build):
    with pytest.raises(ConfigError, match=r"(interval|tolerance|warmup_steps|final_steps|percent) is -?[\d.]+"):
        build()

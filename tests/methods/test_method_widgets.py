"""The widgets of Cache Method: what is refused before a run, and the plan that they make."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import METHODS, Variant
from cache_core.plan import Plan, table_of
from cache_core.schedule import Interval
from cache_core.settings.method import CHECKED, LEARNED, NONE, NOTHING, TO_LEARN, TOO_FAST, MethodSettings
from cache_core.site import MODULES, OUTPUT, Kind
from cache_core.timeline import Timeline
from tests.methods.profiles import profile as picture

STEPS = 20
FLUX = {"variant": Variant("Flux")}
NAME = "MagCache"


def computed(settings: MethodSettings, steps: int = STEPS) -> list[bool]:
    """For each step, whether anything is computed."""
    return [bool(row) for row in settings.plan(Timeline.even(steps)).schedule.table(Timeline.even(steps)).rows]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"strength": 0.9}, "strength is 0.9; allowed is 0.0 to 0.8"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"curves": "of a friend"}, "as released, learned on this model"),
        ({"memory": -1.0}, "memory is -1"),
        ({"start_percent": 0.5, "end_percent": 0.5}, "the end must be greater"),
        ({"threshold": 50.0}, "magcache_thresh is 50.0; allowed is"),
        ({"variant": Variant("Lumina2")}, "learned on this model"),
        ({"method": "NoSuchCache"}, f"allowed is one of {', '.join(METHODS)}"),
    ],
)
def test_what_cannot_be_run_is_refused_with_what_can(given, says):
    with pytest.raises(ConfigError, match=says):
        MethodSettings(**{"method": NAME, **FLUX, **given})


@pytest.mark.parametrize("method", METHODS)
def test_a_threshold_out_of_its_range_is_refused_before_a_picture_is_recorded(method):
    beyond = METHODS[method].threshold.most * 2
    with pytest.raises(ConfigError, match=METHODS[method].threshold.name):
        MethodSettings(method, curves=LEARNED, threshold=beyond, **FLUX)


def test_a_threshold_counts_in_place_of_the_strength_and_is_named_in_the_report():
    settings = MethodSettings(NAME, strength=0.8, threshold=0.01, **FLUX)
    timeline = Timeline.even(STEPS)
    assert settings.threshold_at(timeline) == 0.01
    assert settings.plan(timeline).name == "MagCache, as released, magcache_thresh 0.01"
    assert sum(computed(settings)) > sum(computed(MethodSettings(NAME, strength=0.8, **FLUX)))


def test_outside_the_percentages_every_step_is_computed():
    late = computed(MethodSettings(NAME, strength=0.8, start_percent=0.5, **FLUX))
    early = computed(MethodSettings(NAME, strength=0.8, end_percent=0.5, **FLUX))
    assert all(late[: STEPS // 2])
    assert not all(late[STEPS // 2 :])
    assert all(early[STEPS // 2 + 1 :])
    assert not all(early[: STEPS // 2])


def test_a_method_that_decides_during_the_run_keeps_to_the_percentages_too():
    plan = MethodSettings("TeaCache", start_percent=0.3, end_percent=0.6, **FLUX).plan(Timeline.even(STEPS))
    assert plan.online
    assert (plan.schedule.frame.start, plan.schedule.frame.end) == (0.3, 0.6)


def test_nothing_saved_records_nothing():
    settings = MethodSettings(NAME, strength=0.0, curves=LEARNED, variant=Variant("Lumina2"))
    assert not settings.records
    assert settings.plan(Timeline.even(STEPS)).notes == (NOTHING,)
    assert all(computed(settings))


@pytest.mark.parametrize("given", [{"strength": 0.0}, {"curves": LEARNED}])
def test_a_method_that_saves_nothing_now_leaves_the_plan_beside_it_as_it_is(given):
    line = Timeline.even(STEPS)
    beside = Plan(Interval(OUTPUT, 3))
    table = table_of((beside, MethodSettings(NAME, **FLUX, **given).plan(line)), line)
    assert table.computed(Kind.MODEL) == beside.schedule.table(line).computed(Kind.MODEL)
    assert table.computed(Kind.MLP) == table.computed(Kind.MODEL)


def test_a_method_that_saves_much_more_than_is_asked_for_says_so():
    still, line = picture(Timeline.even(STEPS), change=0.0), Timeline.even(STEPS)
    known = {"method": "PromptTea", "curves": LEARNED, "profile": still}
    assert MethodSettings(strength=0.3, **known).plan(line).notes == (TOO_FAST,)
    assert MethodSettings(strength=0.8, **known).plan(line).notes == ()
    assert MethodSettings(threshold=0.1, **known).plan(line).notes == ()


def test_a_threshold_that_reuses_nothing_says_what_to_set():
    steep = picture(Timeline.even(STEPS), growth=2.0)
    settings = MethodSettings(NAME, threshold=0.1, curves=LEARNED, profile=steep)
    assert all(computed(settings))
    assert settings.plan(Timeline.even(STEPS)).notes == (NONE,)


def test_to_learn_all_is_computed_and_then_the_curves_count():
    settings = MethodSettings(NAME, curves=LEARNED, variant=Variant("Lumina2"))
    assert settings.plan(Timeline.even(STEPS)).notes == (TO_LEARN,)
    assert all(computed(settings))
    still = picture(Timeline.even(CHECKED))
    learned = MethodSettings(NAME, threshold=0.1, curves=LEARNED, variant=Variant("Lumina2"), profile=still)
    assert not all(computed(learned, CHECKED))


def test_where_blocks_can_be_merged_they_are():
    plan = MethodSettings(NAME, **FLUX).plan(Timeline.even(STEPS))
    assert plan.merge
    assert plan.kinds == MODULES

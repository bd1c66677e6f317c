"""Settings of methods that decide during the run, or go by the time embedding."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import METHODS, Variant
from cache_core.plan import Plan, check_together
from cache_core.schedule import Frame, Interval, Online
from cache_core.settings.method import BLIND, LEARNED, MethodSettings
from cache_core.site import OUTPUT, Kind
from cache_core.timeline import Timeline

LINE = Timeline.even(20)
WAN = Variant("WanModel", 1536, 16)
OWN = {"DeepCache": Variant("UNetModel", lists=(("input_blocks", 12),))}  # models that a method without curves is for


def test_a_method_that_cannot_learn_says_so_before_a_picture_is_recorded():
    with pytest.raises(ConfigError, match="SeaCache: the input of the first block"):
        MethodSettings("SeaCache", curves=LEARNED, variant=Variant("Flux", looks=False))
    assert MethodSettings("SenCache", curves=LEARNED, variant=Variant("Flux")).records


def test_without_the_changes_of_the_time_embedding_all_is_computed_and_the_report_says_so():
    plan = MethodSettings("TeaCache", threshold=0.2, variant=WAN).plan(LINE)
    assert plan.schedule.table(LINE).computed(Kind.MLP) == tuple(range(20))
    assert plan.notes == (BLIND,)


def test_with_them_the_table_is_known_before_the_run():
    changes = (0.0, *(0.02 + 0.004 * step for step in range(1, 20)))
    plan = MethodSettings("TeaCache", strength=0.5, variant=WAN, time_changes=changes).plan(LINE)
    assert 6 <= len(plan.schedule.table(LINE).computed(Kind.MLP)) <= 14
    assert plan.notes == ()


def test_a_strength_of_a_method_that_decides_during_the_run_is_an_estimate_without_a_table():
    plan = MethodSettings("TeaCache", strength=0.5, variant=Variant("Flux")).plan(LINE)
    assert isinstance(plan.schedule, Online)
    assert plan.schedule.threshold == pytest.approx(0.6, rel=0.03)  # twice as fast
    assert plan.notes == ()


def test_every_other_method_may_learn_before_there_is_a_picture():
    for name in METHODS:
        known = next((own for start, own in OWN.items() if name.startswith(start)), Variant("Flux"))
        assert MethodSettings(name, curves=LEARNED, variant=known)


def test_the_plan_after_learning_is_known_to_decide_during_the_run():
    for name, method in METHODS.items():
        if method.curves and not method.kinds:
            settings = MethodSettings(name, curves=LEARNED, variant=Variant("Flux", lists=(("blocks", 12),)))
            assert settings.records, name
            assert bool(settings.after_learning(LINE).online) == method.decides == (name in ("SenCache", "EasyCache"))


def test_what_names_the_sites_of_each_step_is_refused_beside_a_cache_of_the_output_before_it_learns():
    known = Variant("Flux", lists=(("blocks", 12),))
    learning = MethodSettings("Learning-to-Cache", curves=LEARNED, variant=known).after_learning(LINE)
    check_together((learning,))
    with pytest.raises(ConfigError, match="one names what each step reuses"):
        check_together((learning, Plan(Interval(OUTPUT, 2, Frame(1)), name="AB-Cache")))

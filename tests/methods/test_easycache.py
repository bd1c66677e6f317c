"""EasyCache: the rule on states alone, and its estimates. Its readings: tests/engine/test_readings.py."""

import pytest

from cache_core.methods import EASYCACHE, Sampling, Variant, at_strength, method_named
from cache_core.methods.easycache import replayed
from cache_core.schedule import Foreseen
from cache_core.site import MODULES, OUTPUT, Kind
from cache_core.timeline import Timeline
from tests.methods.profiles import profile

LINE = Timeline.even(20)


@pytest.mark.parametrize(("inside", "kinds"), [(True, MODULES), (False, OUTPUT)])
def test_it_serves_any_model_and_needs_no_figures(inside, kinds):
    plan = EASYCACHE.plan(Sampling(LINE, Variant("Unknown"), inside), 0.2)
    assert plan.kinds == kinds
    assert plan.online.indicator == Foreseen()
    assert plan.schedule.table(LINE).computed(next(iter(kinds))) == (0, 1, 2, 19)  # 15 % to 95 %


def test_a_strength_is_on_the_line_through_the_shares_of_comfyuis_node():
    sampling = Sampling(LINE, Variant("Flux"))
    for threshold, saved in ((0.05, 0.286), (0.1, 0.464), (0.2, 0.5), (0.4, 0.571)):
        assert at_strength(EASYCACHE, sampling, saved) == pytest.approx(threshold, rel=0.025)


def test_on_a_recorded_picture_it_sums_the_foreseen_changes():
    """Each step changes the output by a tenth, so a row of m has a sum of 0.1 (1 + 2 + .. + m)."""
    sampling = Sampling(LINE, Variant("Flux"), profile=profile(LINE, change=0.1))
    saved = {tau: round(20 * replayed(sampling, tau)) for tau in (0.05, 0.2, 0.5)}
    # 0-2 and 19 are computed; 3 to 18: none free, every second, every third
    assert saved == {0.05: 0, 0.2: 8, 0.5: 11}


def test_a_recorded_state_that_stays_foretells_nothing_and_is_computed():
    line = Timeline.even(20)
    sampling = Sampling(line, profile=profile(line, moved=0.0))
    assert replayed(sampling, 10.0) == 0.0


def test_each_method_that_decides_during_the_run_estimates_what_it_saves():
    line = Timeline.even(24)
    for method in map(method_named, ("MagCache", "TeaCache", "PromptTea", "SeaCache", "SenCache", "EasyCache")):
        sampling = Sampling(line, Variant("Flux"), profile=profile(line))
        plan = method.plan(sampling, method.threshold.default)
        estimate = method.share(sampling, method.threshold.default)
        assert (estimate is not None) == (plan.online is not None), method.name
        assert Kind.MLP in plan.kinds

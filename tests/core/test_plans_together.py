"""Plans that share a run."""

import pytest

from cache_core import MODULES, OUTPUT, Adaptive, ConfigError, Frame, Interval, Kind, Plan, Timeline, TwoStage
from cache_core.plan import check_together, table_of, uncached
from cache_core.run.agenda import Agenda
from cache_core.schedule import Displacement, Online
from cache_core.settings import ABSettings, FEBSettings
from cache_core.site import BRANCHES

ATTENTION, MLP, MODEL = Kind.ATTENTION, Kind.MLP, Kind.MODEL
LINE = Timeline.flow(tuple(1 - i / 20 for i in range(21)))
UNFRAMED = Frame(warmup=0, final=0)
AB = Plan(Interval(OUTPUT, 2, UNFRAMED), name="AB")
FEB = Plan(TwoStage(frame=UNFRAMED), name="FEB")


def test_one_plan_keeps_its_own_table():
    assert table_of((FEB,), LINE) == FEB.schedule.table(LINE)
    assert table_of((AB,), LINE) == AB.schedule.table(LINE)


def test_the_order_of_two_plans_does_not_matter():
    assert table_of((AB, FEB), LINE) == table_of((FEB, AB), LINE)


def test_a_nested_plan_rests_where_the_model_is_predicted():
    for row in table_of((AB, FEB), LINE).rows:
        assert MODEL in row or row == frozenset()


def test_a_nested_plan_counts_only_the_steps_at_which_the_model_runs():
    nested = table_of((AB, Plan(Interval(MODULES, 3, UNFRAMED))), LINE)
    assert nested.computed(MODEL) == tuple(range(0, 20, 2))
    assert nested.computed(ATTENTION) == tuple(range(0, 20, 6))


def test_a_nested_plan_sees_the_noise_of_the_steps_at_which_the_model_runs():
    nested = table_of((AB, Plan(TwoStage(3, 3, 1, boundary=0.5, frame=UNFRAMED))), LINE)
    fresh_attention = [LINE.times[s] for s in nested.computed(MODEL) if LINE.times[s] > 0.5]
    assert fresh_attention == [LINE.times[s] for s in nested.computed(ATTENTION) if LINE.times[s] > 0.5]
    assert len(nested.computed(MLP)) > len(nested.computed(ATTENTION)) - len(fresh_attention)


def test_uncached_computes_every_kind_at_every_step():
    table = uncached((AB, FEB), LINE)
    assert table.kinds == MODULES | OUTPUT
    assert set(table.rows) == {table.kinds}


def test_plans_for_different_kinds_of_block_sites_are_both_followed():
    # Was wrong once (plan.py, table_of): of two plans that are not for the model, the second is dropped without a word.
    table = table_of(
        (Plan(Interval(frozenset({ATTENTION}), 2, UNFRAMED)), Plan(Interval(frozenset({MLP}), 5, UNFRAMED))), LINE
    )
    assert table.computed(ATTENTION) == tuple(range(0, 20, 2))
    assert table.computed(MLP) == tuple(range(0, 20, 5))


@pytest.mark.parametrize("pair", [(AB, AB), (FEB, FEB), (FEB, Plan(Interval(frozenset({MLP}), 2), name="other"))])
def test_plans_for_the_same_sites_are_refused_by_name(pair):
    for call in (lambda: check_together(pair), lambda: table_of(pair, LINE)):
        with pytest.raises(ConfigError, match=f"{pair[0].name} and {pair[1].name}"):
            call()


def test_a_plan_that_decides_during_the_run_cannot_share_it():
    adaptive = Plan(Adaptive(OUTPUT, 0.1, 4), name="AB adaptive")
    with pytest.raises(ConfigError, match="tolerance"):
        check_together((FEB, adaptive))
    assert table_of((adaptive,), LINE).kinds == OUTPUT
    online = Plan(Online(OUTPUT, Displacement(), 0.1), name="SenCache")
    with pytest.raises(ConfigError, match="during the run"):
        check_together((FEB, online))


def test_of_two_plans_that_correct_the_output_the_one_for_the_output_does_in_either_order():
    ab, feb = ABSettings.of("auto", {}).plan(LINE), FEBSettings.of("auto", {}).plan(LINE)
    assert ab.predictor.reach
    assert feb.predictor.reach
    assert Agenda((ab, feb), LINE).correcting is Agenda((feb, ab), LINE).correcting is ab


def test_a_plan_for_the_guidance_counts_the_steps_that_compute_all_else():
    gate = Plan(Interval(BRANCHES, 2, UNFRAMED), name="gate")
    three = table_of((gate, Plan(Interval(MODULES, 2, UNFRAMED)), AB), LINE)
    assert three.computed(MODEL) == tuple(range(0, 20, 2))
    assert three.computed(ATTENTION) == tuple(range(0, 20, 4))
    assert three.computed(Kind.GUIDANCE) == tuple(range(0, 20, 8))
    assert table_of((AB, Plan(Interval(MODULES, 2, UNFRAMED)), gate), LINE) == three
    assert table_of((gate,), LINE) == gate.schedule.table(LINE)


def test_guidance_has_a_plan_of_its_own_and_only_one():
    gate = Plan(Interval(BRANCHES, 2), name="gate")
    with pytest.raises(ConfigError, match="same parts"):
        check_together((gate, gate))
    with pytest.raises(ConfigError, match="of its own"):
        Plan(Interval(BRANCHES | OUTPUT, 2))
    with pytest.raises(ConfigError, match="plans for the guidance"):
        check_together((gate, Plan(Adaptive(OUTPUT, 0.1, 4), name="AB adaptive")))

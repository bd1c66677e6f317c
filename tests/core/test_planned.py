"""Plans made for one sampling: at their own they are what they were made as, at another they are moved over sigma."""

import pytest

from cache_core import MODULES, OUTPUT, ConfigError, Kind, NoiseScale, Table, Timeline
from cache_core.predictor import Extrapolation, Fit, Fitted
from cache_core.saved_plan.costs import Costs
from cache_core.saved_plan.saved_plan import Origin, SavedPlan, model_plan
from cache_core.schedule import TableAt, from_steps

FIFTY = Timeline.even(50)
CHOSEN = (0, 1, 2, 4, 6, 9, 13, 20, 30, 40, 49)


def planned(steps=CHOSEN, timeline=FIFTY, fits=()):
    return model_plan(steps, timeline.sigmas, Origin("Flux", "abc", "euler", 256, 1), fits)


def test_at_its_own_sigmas_the_table_is_the_one_it_was_made_with():
    plan = planned().plan(FIFTY, "x")
    assert plan.schedule.table(FIFTY).computed(Kind.MODEL) == CHOSEN
    assert plan.notes == ()


def test_sigmas_that_differ_by_rounding_are_its_own():
    near = Timeline.flow(tuple(s * (1 + 1e-5) for s in FIFTY.sigmas))
    assert planned().schedule.matches(near)


@pytest.mark.parametrize("steps", [100, 28, 20, 8])
def test_at_another_count_of_steps_the_share_and_the_density_stay_and_a_note_says_so(steps):
    here = Timeline.even(steps)
    plan = planned(fits=(Fit(0.5, (0.6,), (1.0,)),)).plan(here, "x")
    computed = plan.schedule.table(here).computed(Kind.MODEL)
    assert len(computed) == max(2, round(len(CHOSEN) * steps / 50))
    assert computed[0] == 0
    early = sum(here.sigmas[s] > 0.8 for s in computed) / len(computed)
    assert early == pytest.approx(sum(FIFTY.sigmas[s] > 0.8 for s in CHOSEN) / len(CHOSEN), abs=0.2)
    assert isinstance(plan.predictor, Extrapolation)
    assert "moved over sigma" in plan.notes[0]
    assert f"{steps} from" in plan.notes[0]


def test_another_shift_with_as_many_steps_is_another_sampling():
    shifted = Timeline.flow(tuple(3 * s / (1 + 2 * s) for s in FIFTY.sigmas))
    plan = planned().plan(shifted, "x")
    assert plan.notes
    assert plan.schedule.table(shifted).computed(Kind.MODEL) != CHOSEN


def test_a_plan_for_blocks_that_reuses_both_kinds_together_is_merged():
    both = from_steps(MODULES, CHOSEN, 50)
    apart = Table(MODULES, tuple(row | ({Kind.MLP} if step == 3 else set()) for step, row in enumerate(both.rows)))
    assert [SavedPlan(Origin(""), TableAt(table, FIFTY.sigmas)).plan(FIFTY, "x").merge for table in (both, apart)] == [
        True,
        False,
    ]


def test_another_model_and_other_weights_are_refused_with_both_sides():
    with pytest.raises(ConfigError, match="for Flux and this model is WanModel"):
        planned().check_model("WanModel", "abc")
    with pytest.raises(ConfigError, match="weights abc and this Flux has xyz"):
        planned().check_model("Flux", "xyz")
    planned().check_model("Flux", "abc")


def test_a_plan_in_words():
    assert planned(fits=(Fit(0.5, (0.6,), (1.0,)),)).text().splitlines() == [
        "for Flux, weights abc",
        "50 steps, sigma 1 to 0, euler",
        "model computed at 11 steps: 0, 1, 2, 4, 6, 9, 13, 20, 30, 40, 49",
        "4.55x fewer evaluations; weights fitted at 1 steps",
        "distance to the uncached pictures not measured",
        "made from 1 samples, ",
    ]
    table = Table(MODULES, (MODULES, frozenset({Kind.MLP}), MODULES, frozenset()))
    schedule = TableAt(table, (1.0, 0.7, 0.5, 0.2, 0.0))
    costs = Costs(attention=0.5, mlp=0.5, both=0.1, merged=0.1)
    plan = SavedPlan(Origin("", made="us"), schedule, (), 1, 0.1, NoiseScale(0.99, 1.02), costs)
    assert plan.text().splitlines() == [
        "for any model, any weights",
        "4 steps, sigma 1 to 0",
        "attention computed at 2 steps: 0, 2",
        "mlp computed at 3 steps: 0, 1, 2",
        "1.54x less compute; order 1",
        "noise scale 0.99 at high noise, 1.02 at low",
        "1 steps reuse one kind only",
        "off the uncached pictures by 0.1000",
        "a list, not made from a run: us",
    ]


def test_a_plan_needs_a_sigma_more_than_it_has_rows():
    with pytest.raises(ConfigError, match="needs 51 sigmas"):
        TableAt(from_steps(OUTPUT, CHOSEN, 50), FIFTY.sigmas[1:])


def test_a_fit_is_used_where_its_samples_are_there_and_else_the_fallback():
    fitted = Fitted((Fit(0.5, (0.6, 0.8), (1.5, -0.5)), Fit(0.4, (0.4, 0.6), (1.1, -0.1))), Extrapolation(1))
    assert fitted.weights((0.6, 0.8, 1.0), 0.5) == (1.5, -0.5)
    assert fitted.weights((0.6,), 0.5) == fitted.weights((0.7, 0.8), 0.5) == fitted.weights((0.6, 0.8), 0.45) == (1,)
    assert fitted.correction((0.4, 0.6)) == (1.1, -0.1)
    assert fitted.correction((0.5, 0.6)) == ()
    assert (fitted.order, fitted.reach) == (2, 2)

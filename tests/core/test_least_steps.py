"""The fewest steps that a plan can compute: asked before anything is sampled, for every step count and speed-up."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache_core import ConfigError
from cache_core.calibrate import Request
from cache_core.calibrate.learn import LEAST_SPEEDUP, MOST_SPEEDUP
from cache_core.calibrate.modules import full_steps
from cache_core.planning import best_steps, least_steps
from cache_core.planning.steps import LONGEST, computed_steps, first_gap
from cache_core.saved_plan.costs import Costs

STEP_COUNTS = st.integers(8, 1000)
SPEEDUPS = st.floats(LEAST_SPEEDUP, MOST_SPEEDUP)


def planned(steps, count, fits):
    """The planned steps of a sampling whose outputs do not matter here."""
    nodes = tuple(1 - i / steps for i in range(steps))
    return best_steps(np.eye(steps), nodes, (-1 / steps,) * steps, count, first_gap(steps, fits), fits=fits)


@given(STEP_COUNTS, SPEEDUPS, st.booleans())
def test_a_speed_up_leaves_enough_steps_or_is_refused_with_the_highest_that_does(steps, speedup, fits):
    least = least_steps(steps, fits)
    if round(steps / speedup) >= least:
        assert least <= computed_steps(steps, speedup, fits) <= steps
        return
    with pytest.raises(ConfigError, match="target_speedup") as refused:
        computed_steps(steps, speedup, fits)
    lower = float(re.search(r"Lower it to ([\d.]+)", str(refused.value))[1])
    assert lower < speedup
    assert computed_steps(steps, lower, fits) == least


@pytest.mark.parametrize("fits", [False, True])
@pytest.mark.parametrize("steps", [*range(8, 80), 99, 150, 300])
def test_the_least_count_can_be_planned_and_one_less_cannot(steps, fits):
    least = least_steps(steps, fits)
    chosen = planned(steps, least, fits)
    assert (len(chosen), chosen[0], chosen[-1]) == (least, 0, steps - 1)
    assert max(np.diff(chosen)) <= LONGEST
    if least > 4:
        with pytest.raises(ConfigError, match="count"):
            planned(steps, least - 1, fits)


@given(STEP_COUNTS, SPEEDUPS, st.floats(0, 1.5))
@settings(max_examples=300)
def test_whatever_reuse_costs_the_steps_are_enough_or_the_gain_is_too_little(steps, speedup, merged):
    costs, least = Costs(merged, merged, merged, merged), least_steps(steps, fits=True)
    if steps / (least + merged * (steps - least)) >= LEAST_SPEEDUP:
        assert least <= full_steps(costs, steps, speedup) <= steps
    else:
        with pytest.raises(ConfigError, match="gains too little"):
            full_steps(costs, steps, speedup)


@pytest.mark.parametrize(("steps", "speedup"), [(36, 8.0), (35, 7.8)])
def test_the_handed_cases_are_refused_with_the_widget_and_a_value_that_works(steps, speedup):
    # Was wrong once (gaps.best_steps): "count is 4; allowed is 5 to 36", once all sampling was paid.
    with pytest.raises(ConfigError, match=f"target_speedup {speedup:g} leaves 4 of {steps} steps .* needs 5. Lower it"):
        computed_steps(steps, speedup, fits=True)


def test_a_request_out_of_range_is_refused():
    for wrong in ({"speedup": 1.0}, {"speedup": float("nan")}, {"drift": -0.1}, {"samples": 0}, {"budget": 1.9}):
        with pytest.raises(ConfigError, match="allowed is"):
            Request(**wrong)

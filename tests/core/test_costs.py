"""Costs of the states of a step, and the steps that a speed-up leaves to compute."""

import pytest

from cache_core import MODULES, ConfigError, Kind, Table
from cache_core.saved_plan.costs import Costs

MLP, NONE = frozenset({Kind.MLP}), frozenset()
COSTS = Costs(0.6, 0.6, 0.2, 0.1)


def test_costs_are_those_of_each_state_and_merging_needs_that_both_are_always_reused_together():
    both, mixed = (Table(MODULES, (MODULES, *rows, MODULES)) for rows in ((NONE, NONE), (NONE, MLP)))
    assert COSTS.compute(both) == pytest.approx(2 + 2 * 0.1)
    assert COSTS.compute(mixed) == pytest.approx(2 + 0.2 + 0.6)
    assert COSTS.speedup(both) == pytest.approx(4 / 2.2)
    for speedup in (1.0, 1.5, 2.0, 4.0):
        count = COSTS.full_steps(50, speedup)
        assert count + 0.1 * (50 - count) <= 50 / speedup + 1e-6 < count + 1 + 0.1 * (49 - count) or count == 50


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), 3.0])
def test_a_cost_that_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError, match="cost of reusing mlp"):
        Costs(0.5, wrong, 0.2, 0.1)

"""Which steps to compute: the programme finds the best, and its costs are the displacements that gaps cause."""

from itertools import combinations

import numpy as np
import pytest

from cache_core import ConfigError
from cache_core.calibrate.gaps import FREE, LONGEST, best_steps, gap_costs, gap_error, growth

STEPS = 9
NODES = tuple(float(s) for s in np.linspace(1, 0, STEPS + 1)[:-1] ** 1.5)
WEIGHTS = tuple(np.diff([*NODES, 0.0]))


def outputs(seed=0, steps=STEPS, size=5):
    return np.random.default_rng(seed).normal(size=(steps, size)).cumsum(axis=0)


def cost_of(chosen, gram):
    costs = gap_costs(gram, NODES, WEIGHTS)
    befores = (STEPS, *chosen)
    return sum(costs[before, start, end] for before, start, end in zip(befores, chosen, chosen[1:], strict=False))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [2, 3, 5, 8, 9])
def test_no_other_choice_of_as_many_steps_costs_less(seed, count):
    gram = outputs(seed) @ outputs(seed).T
    chosen = best_steps(gram, NODES, WEIGHTS, count)
    assert len(chosen) == count
    assert (chosen[0], chosen[-1]) == (0, STEPS - 1)
    least = min(cost_of((0, *middle, STEPS - 1), gram) for middle in combinations(range(1, STEPS - 1), count - 2))
    assert cost_of(chosen, gram) == pytest.approx(least, rel=1e-9, abs=1e-12)


def test_a_gap_s_cost_is_the_displacement_of_the_extrapolated_steps():
    v = outputs()
    extrapolated = {step: v[2] + (NODES[step] - NODES[2]) / (NODES[2] - NODES[1]) * (v[2] - v[1]) for step in (3, 4)}
    displaced = sum(WEIGHTS[step] * (v[step] - value) for step, value in extrapolated.items())
    np.testing.assert_allclose(gap_error(NODES, WEIGHTS, 1, 2, 5) @ v, displaced)
    assert gap_costs(v @ v.T, NODES, WEIGHTS)[1, 2, 5] == pytest.approx(displaced @ displaced)


def test_where_predictions_are_fitted_a_gap_costs_what_no_multiple_of_the_last_difference_takes_away():
    v = outputs()
    error, along = gap_error(NODES, WEIGHTS, 1, 2, 5) @ v, v[2] - v[1]
    least = min(np.square(error - share * along).sum() for share in np.linspace(-2, 2, 40001))
    assert gap_costs(v @ v.T, NODES, WEIGHTS, fits=True)[1, 2, 5] == pytest.approx(least, rel=1e-4)
    assert gap_costs(v @ v.T, NODES, WEIGHTS, fits=True)[STEPS, 0, 3] == gap_costs(v @ v.T, NODES, WEIGHTS)[STEPS, 0, 3]  # the first can only reuse


def test_outputs_along_one_line_cost_nothing_once_predictions_are_fitted_however_they_move_on_it():
    v = np.array([[2 - 3 * s**3, s**3] for s in NODES])
    assert gap_costs(v @ v.T, NODES, WEIGHTS, fits=True)[1, 2, 5] == pytest.approx(0, abs=1e-12)
    assert gap_costs(v @ v.T, NODES, WEIGHTS)[1, 2, 5] > 1e-6


def test_errors_within_a_gap_may_cancel():
    v = np.zeros((STEPS, 1))
    v[3], v[4] = 1 / WEIGHTS[3], -1 / WEIGHTS[4]
    assert gap_costs(v @ v.T, NODES, WEIGHTS)[1, 2, 5] == pytest.approx(0, abs=1e-9)


def test_outputs_that_are_linear_in_sigma_cost_nothing_once_two_are_computed():
    v = np.array([[2 - 3 * s, s] for s in NODES])
    chosen = best_steps(v @ v.T, NODES, WEIGHTS, 3)
    assert chosen == (0, 1, STEPS - 1)
    assert cost_of(chosen, v @ v.T) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("count", [1, STEPS + 1])
def test_a_count_that_cannot_be_is_refused(count):
    with pytest.raises(ConfigError, match="count"):
        best_steps(np.eye(STEPS), NODES, WEIGHTS, count)


def test_no_gap_is_longer_than_allowed():
    nodes = tuple(1 - i / 40 for i in range(40))
    with pytest.raises(ConfigError, match="count"):
        best_steps(np.eye(40), nodes, (-1 / 40,) * 40, 3)
    with pytest.raises(ConfigError, match="count"):
        best_steps(np.eye(40), nodes, (-1 / 40,) * 40, 4, first=3)
    assert best_steps(np.eye(40), nodes, (-1 / 40,) * 40, 5, first=3)[1] <= 3
    chosen = best_steps(np.eye(40), nodes, (-1 / 40,) * 40, 4)
    assert max(b - a for a, b in zip(chosen, chosen[1:], strict=False)) <= LONGEST


@pytest.mark.parametrize("count", [8, 12, 20, 25])
def test_where_errors_grow_gaps_widen_but_for_the_last_fifth(count):
    steps = 50
    nodes = tuple(1 - i / steps for i in range(steps))
    v = outputs(3, steps)
    chosen = best_steps(v @ v.T, nodes, (-1 / steps,) * steps, count, 2, growth([1 - s for s in nodes]))
    assert len(chosen) == count
    gaps = [b - a for a, b in zip(chosen, chosen[1:], strict=False) if a < FREE * steps]
    assert gaps == sorted(gaps)


def test_where_errors_grow_the_early_steps_are_computed_more_often():
    steps, count = 50, 10
    nodes = tuple(1 - i / steps for i in range(steps))
    v = outputs(3, steps)
    def chosen(grown, fits):
        return best_steps(v @ v.T, nodes, (-1 / steps,) * steps, count, 2, grown, fits)

    for fits in (False, True):
        assert sum(chosen(np.linspace(20, 1, steps) ** 2, fits)) < sum(chosen(np.ones(steps), fits))


def test_a_count_for_which_gaps_cannot_widen_is_planned_without():
    assert best_steps(np.eye(STEPS), NODES, WEIGHTS, STEPS - 1, 1, np.ones(STEPS))[1] == 1
    gram = outputs() @ outputs().T
    assert len(best_steps(gram, NODES, WEIGHTS, 3, 1, np.ones(STEPS))) == 3  # 0, 1, 8
    with pytest.raises(ConfigError, match="count"):
        best_steps(gram, NODES, WEIGHTS, 1, 1, np.ones(STEPS))


def test_an_error_grows_as_the_clean_latent_does_down_to_a_tenth_of_it():
    np.testing.assert_allclose(growth([0.0, 0.05, 0.1, 0.5, 1.0]), [10, 10, 10, 2, 1])

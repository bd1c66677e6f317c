"""Which steps to compute: the programme finds the best, and its costs are the displacements that gaps cause."""

from itertools import combinations

import numpy as np
import pytest

from cache_core import ConfigError
from cache_core.planning.steps import FREE, LONGEST, TINY, best_steps, cheapest, first_costs, gap_costs, growth
from cache_core.predictor import lagrange

STEPS = 9
NODES = tuple(float(s) for s in np.linspace(1, 0, STEPS + 1)[:-1] ** 1.5)
WEIGHTS = tuple(np.diff([*NODES, 0.0]))


def outputs(seed=0, steps=STEPS, size=5):
    return np.random.default_rng(seed).normal(size=(steps, size)).cumsum(axis=0)


def gap_error(nodes, weights, before, start, end):
    """Coefficients `(N,)` of the outputs in a gap's displacement. `before`: None, and `start` is reused."""
    anchors, error = [start] if before is None else [start, before], np.zeros(len(nodes))
    for step in range(start + 1, end):
        error[step] += weights[step]
        for anchor, share in zip(anchors, lagrange([nodes[a] for a in anchors], nodes[step]), strict=True):
            error[anchor] -= weights[step] * share
    return error


def gap_cost(gram, nodes, weights, before, start, end, fits=False):
    """Squared norm of that displacement; with `fits` after the best multiple of the last difference."""
    error = gap_error(nodes, weights, before, start, end)
    if fits and before is not None:
        difference = gram[start] - gram[before]
        share = difference @ error / max(difference[start] - difference[before], TINY)
        error[[start, before]] -= share, -share
    return max(0.0, error @ gram @ error)


def cost_of(chosen, gram, nodes=NODES, weights=WEIGHTS, grown=None, fits=False):
    """What the gaps of these steps cost in sum."""
    befores, grown = (None, *chosen), np.ones(len(nodes)) if grown is None else grown
    return sum(
        gap_cost(gram, nodes, weights, before, start, end, fits) * grown[end] ** 2
        for before, start, end in zip(befores, chosen, chosen[1:], strict=False)
    )


def cost_in(costs, before, start, end):
    """An element of gap_costs, by steps."""
    return costs[LONGEST - (start - before), end - start - 1, start]


def widens(chosen, steps):
    """Whether no gap is shorter than the one before it, but for those that start in the last fifth."""
    gaps = [b - a for a, b in zip(chosen, chosen[1:], strict=False)]
    early = [gap for gap, start in zip(gaps, chosen, strict=False) if start < int(FREE * steps)]
    return early == sorted(early)


def by_looking_at_all(gram, nodes, weights, count, first, grown, fits):
    """What best_steps promises: of all choices the one that costs least, among those that widen if there are such."""
    steps = len(nodes)
    found = [(0, *middle, steps - 1) for middle in combinations(range(1, steps - 1), count - 2)]
    found = [chosen for chosen in found if chosen[1] <= first and max(np.diff(chosen)) <= LONGEST]
    found = [chosen for chosen in found if grown is not None and widens(chosen, steps)] or found
    return min(found, key=lambda chosen: cost_of(chosen, gram, nodes, weights, grown, fits))


@pytest.mark.parametrize("fits", [False, True])
@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_the_steps_are_those_of_looking_at_every_choice(seed, grows, fits):
    draw = np.random.default_rng(seed)
    steps = int(draw.integers(3, 18))
    nodes = tuple(np.sort(draw.uniform(0.01, 1, steps))[::-1].tolist())
    weights, first = tuple(np.diff([*nodes, 0.0]).tolist()), int(draw.integers(1, LONGEST + 1))
    fewest = 2 + max(0, -(-(steps - 1 - min(first, steps - 1)) // LONGEST))
    count = min(steps, int(draw.integers(fewest, fewest + 5)))
    gram, grown = outputs(seed, steps) @ outputs(seed, steps).T, growth([1 - s for s in nodes]) if grows else None
    asked = (gram, nodes, weights, count, first, grown, fits)
    assert best_steps(*asked) == by_looking_at_all(*asked)


@pytest.mark.parametrize("fits", [False, True])
def test_every_gap_costs_what_the_definition_says(fits):
    steps = 40
    nodes = tuple(np.linspace(1, 0, steps + 1)[:-1] ** 1.5)
    weights, gram = tuple(np.diff([*nodes, 0.0])), outputs(5, steps) @ outputs(5, steps).T
    costs, begun = gap_costs(gram, nodes, weights, fits), first_costs(gram, weights, LONGEST)
    lengths = range(1, LONGEST + 1)
    expected = [gap_cost(gram, nodes, weights, None, 0, end) for end in lengths]
    assert begun == pytest.approx(expected, rel=1e-9, abs=1e-12)
    for start, before, end in ((s, s - b, s + e) for s in range(1, steps) for b in lengths for e in lengths):
        there = before >= 0 and end < steps
        expected = gap_cost(gram, nodes, weights, before, start, end, fits) if there else np.inf
        assert cost_in(costs, before, start, end) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_thousand_steps_are_planned_in_bounded_memory_and_can_be_cancelled():
    # Was wrong once (steps.gap_costs): arrays of all steps by all steps by all steps, so 300 took half a minute.
    steps = 1000
    nodes, gram = tuple(1 - i / steps for i in range(steps)), outputs(1, steps) @ outputs(1, steps).T
    assert gap_costs(gram, nodes, (-1 / steps,) * steps, True).size <= LONGEST * LONGEST * steps
    chosen = best_steps(gram, nodes, (-1 / steps,) * steps, 333, 150, growth([1 - s for s in nodes]), True)
    assert (len(chosen), chosen[0], chosen[-1]) == (333, 0, steps - 1)
    assert 1 <= min(np.diff(chosen)) <= max(np.diff(chosen)) <= LONGEST

    class CancelledError(Exception):
        pass

    calls = iter(range(700))

    def tick():
        if next(calls, None) is None:
            raise CancelledError

    with pytest.raises(CancelledError):
        best_steps(gram, nodes, (-1 / steps,) * steps, 333, 150, tick=tick)


def test_a_first_gap_beyond_the_longest_does_not_make_a_count_possible_that_is_not():
    # Was wrong once (steps.best_steps): the check allowed what no gaps make, and steps came back all the same.
    nodes = tuple(1 - i / 200 for i in range(200))
    with pytest.raises(ConfigError, match="count is 10; allowed is 16"):
        best_steps(np.eye(200), nodes, (-1 / 200,) * 200, 10, 100)
    assert len(best_steps(np.eye(200), nodes, (-1 / 200,) * 200, 16, 100)) == 16


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [3, 5, 8])
def test_the_cheapest_way_is_found_whatever_gaps_cost(seed, count):
    draw = np.random.default_rng(seed)
    begun, costs = draw.uniform(size=3), draw.uniform(size=(LONGEST, LONGEST, STEPS))

    def cost(chosen):
        later = zip(chosen, chosen[1:], chosen[2:], strict=False)
        return begun[chosen[1] - 1] + sum(cost_in(costs, *three) for three in later)

    ways = [(0, *middle, STEPS - 1) for middle in combinations(range(1, STEPS - 1), count - 2)]
    chosen, total = cheapest(begun, costs, count)
    assert chosen == min((way for way in ways if way[1] <= len(begun)), key=cost)
    assert total == pytest.approx(cost(chosen))
    assert cheapest(begun, np.full_like(costs, np.inf), count) == ((), np.inf)


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
    assert cost_in(gap_costs(v @ v.T, NODES, WEIGHTS), 1, 2, 5) == pytest.approx(displaced @ displaced)


def test_where_predictions_are_fitted_a_gap_costs_what_no_multiple_of_the_last_difference_takes_away():
    v = outputs()
    error, along = gap_error(NODES, WEIGHTS, 1, 2, 5) @ v, v[2] - v[1]
    least = min(np.square(error - share * along).sum() for share in np.linspace(-2, 2, 40001))
    assert cost_in(gap_costs(v @ v.T, NODES, WEIGHTS, fits=True), 1, 2, 5) == pytest.approx(least, rel=1e-4)


def test_outputs_along_one_line_cost_nothing_once_predictions_are_fitted_however_they_move_on_it():
    v = np.array([[2 - 3 * s**3, s**3] for s in NODES])
    assert cost_in(gap_costs(v @ v.T, NODES, WEIGHTS, fits=True), 1, 2, 5) == pytest.approx(0, abs=1e-12)
    assert cost_in(gap_costs(v @ v.T, NODES, WEIGHTS), 1, 2, 5) > 1e-6


def test_errors_within_a_gap_may_cancel():
    v = np.zeros((STEPS, 1))
    v[3], v[4] = 1 / WEIGHTS[3], -1 / WEIGHTS[4]
    assert cost_in(gap_costs(v @ v.T, NODES, WEIGHTS), 1, 2, 5) == pytest.approx(0, abs=1e-9)


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

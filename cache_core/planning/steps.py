"""Steps to compute: dynamic programming on the signed error of each gap between two computed steps."""

from collections.abc import Callable, Sequence
from math import floor
from typing import Any

import numpy as np

from ..errors import ConfigError, check_range
from ..predictor import lagrange

LONGEST = 14  # steps from one computed step to the next, at most
FEWEST = 4  # computed steps
FIRST, FIRST_FITTED = 0.04, 0.15  # of all steps, in the first gap: it can only reuse, and one picture may hide its cost
FREE = 0.8  # share of the steps before which no gap is shorter than the one before it
TINY = 1e-30
LEAST_SIGNAL = 0.1  # below this share of clean latent in the state, an error grows no further
TAKEN_BACK = 0.75  # power of its growth that an error has where fits take part of it back
Tick = Callable[[], None]


def nothing() -> None:
    """A call between two pieces of work that nobody may cancel."""


def growth(signal: Sequence[float]) -> np.ndarray:
    """Factor `(N,)` by which an error of the state grows until the end: `1 / max(a, 0.1)`, a = `signal`.

    x = a x0 + s eps: an error d of a x0 is an error d / a of x0. For flow models a = 1 - sigma. Measured growth on the
    lab's models follows this down to about 0.1 (docs/DESIGN_NOTES.md).
    """
    return 1 / np.maximum(np.asarray(signal, dtype=np.float64), LEAST_SIGNAL)


def first_gap(steps: int, fits: bool = False) -> int:
    """Steps from the first computed step to the second, at most. `fits`: True if predictions will be fitted."""
    return min(max(2, round((FIRST_FITTED if fits else FIRST) * steps)), LONGEST, steps - 1)


def least_steps(steps: int, fits: bool = False) -> int:
    """Computed steps of a plan for `steps` steps, at least: gaps have LONGEST steps at most, the first `first_gap`."""
    return min(steps, max(FEWEST, 2 - (first_gap(steps, fits) + 1 - steps) // LONGEST))


def computed_steps(steps: int, speedup: float, fits: bool = False) -> int:
    """Computed steps of a plan for `steps` steps. Raises ConfigError for a target_speedup that leaves too few."""
    count, least = min(steps, round(steps / speedup)), least_steps(steps, fits)
    if count < least:
        raise ConfigError(
            f"target_speedup {speedup:g} leaves {count} of {steps} steps to compute; a plan needs {least}. "
            f"Lower it to {floor(10 * steps / least) / 10:g}, or sample more steps."
        )
    return count


def planned_steps(
    gram: np.ndarray,
    nodes: Sequence[float],
    weights: Sequence[float],
    signal: Sequence[float],
    count: int,
    tick: Tick = nothing,
) -> tuple[int, ...]:
    """The `count` steps that displace a sampling least in sum, once predictions are fitted; see best_steps. `signal`
    as in Timeline."""
    felt = growth(signal or (1.0,) * len(nodes)) ** TAKEN_BACK
    return best_steps(gram, nodes, weights, count, first_gap(len(nodes), fits=True), felt, True, tick)


def best_steps(
    gram: np.ndarray,
    nodes: Sequence[float],
    weights: Sequence[float],
    count: int,
    first: int = LONGEST,
    felt: np.ndarray | None = None,
    fits: bool = False,
    tick: Tick = nothing,
) -> tuple[int, ...]:
    """The `count` steps to compute, the first and the last among them, whose gaps displace the state least in sum.

    `gram` `(N, N)`: inner products of the outputs. `nodes`, `weights` `(N,)`: sigma of each step, and
    displacement of the final state by a unit of its output (Response.final). `first`: length of the
    first gap, at most. `felt` `(N,)`: factor of a displacement at each step until the end; with it gaps widen. `fits`:
    predictions will be fitted. `tick` is called again and again: an exception of it ends the planning. The sum is not
    the error of the sampling, because gaps disturb each other: a schedule counts once a run with it was compared.

    Raises ConfigError for a `count` above N, or too small for gaps of LONGEST steps.
    """
    steps, first = len(nodes), min(first, LONGEST, len(nodes) - 1)
    check_range("count", count, 2 + max(0, -(-(steps - 1 - first) // LONGEST)), steps)
    gram = np.asarray(gram, dtype=np.float64)
    begun, costs = first_costs(gram, weights, first), gap_costs(gram, nodes, weights, fits, tick)
    if felt is None:
        return cheapest(begun, costs, count, tick)[0]
    left = np.square(felt)
    begun, costs = begun * left[1 : first + 1], costs * left[_ends(steps)]
    chosen, total = cheapest(begun, widening(costs), count, tick)
    return chosen if np.isfinite(total) else cheapest(begun, costs, count, tick)[0]


def first_costs(gram: np.ndarray, weights: Sequence[float], longest: int) -> np.ndarray:
    """Squared norm `(longest,)` of the displacement of a first gap of 1, 2, ... steps, which reuses step 0."""
    error = np.zeros((longest, longest))
    for step in range(1, longest):
        error[step:, step] = weights[step]
        error[step:, 0] -= weights[step]
    return _squared(gram[:longest, :longest], error)


def gap_costs(
    gram: np.ndarray, nodes: Sequence[float], weights: Sequence[float], fits: bool = False, tick: Tick = nothing
) -> np.ndarray:
    """Squared norm `(14, 14, N)` of the displacement of each later gap: by the length of the gap before it (14 down to
    1), by its own length (1 to 14) and by its first step. Infinite where there is no such gap."""
    steps = len(nodes)
    costs = np.full((LONGEST, LONGEST, steps), np.inf)
    for start in range(1, steps - 1):
        tick()
        before, after = min(start, LONGEST), min(steps - 1 - start, LONGEST)
        window = slice(start - before, start + after)
        local = gram[window, window]
        errors = gap_errors(nodes[window], weights[window], before)
        costs[LONGEST - before :, :after, start] = _squared(local, fitted(local, errors) if fits else errors)
    return costs


def gap_errors(nodes: Sequence[float], weights: Sequence[float], start: int) -> np.ndarray:
    """Coefficients `(start, n - start, n)` of n outputs in the displacement of each gap from `start`, by the computed
    step before it and by its end: `sum_i h_i (v_i - v*_i)`, v* extrapolated from `start` and that step (order 2).

    Signed, so errors within a gap may cancel.
    """
    at, moved = np.asarray(nodes[start + 1 :]), np.asarray(weights[start + 1 :])
    befores: Any = (nodes[start], np.asarray(nodes[:start])[:, None])
    newest, older = lagrange(befores, at)  # of all steps before `start` at once
    added = np.zeros((start, len(nodes) - start, len(nodes)))
    rows, lengths = np.arange(start)[:, None], np.arange(1, len(nodes) - start)
    added[:, lengths, start + lengths] = moved
    added[:, 1:, start] = -moved * newest
    added[rows, lengths, rows] = -moved * older
    return added.cumsum(axis=1)


def fitted(gram: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Coefficients, shaped like `errors` (see gap_errors), of the displacement that remains after the best multiple of
    `v_start - v_before` is subtracted, as a fit will do (Steering)."""
    start, left = len(errors), errors.copy()
    befores = np.arange(start)
    difference = gram[start] - gram[:start]  # its inner products with every output
    own = np.maximum(difference[:, start] - difference[befores, befores], TINY)
    multiples = np.einsum("ben,bn->be", errors, difference) / own[:, None]
    left[:, :, start] -= multiples
    left[befores, :, befores] += multiples
    return left


def _squared(gram: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Squared norm of the displacement of each row of `errors` `(..., n)`."""
    return np.maximum(0.0, np.einsum("...i,...i", errors @ gram, errors))


def widening(costs: np.ndarray) -> np.ndarray:
    """The costs `(14, 14, N)` without gaps that are shorter than the one before them and start before the last fifth:
    extrapolation over a long gap from two samples that lie close together is bad for other pictures."""
    before, own = np.arange(LONGEST, 0, -1)[:, None], np.arange(1, LONGEST + 1)
    early = np.arange(costs.shape[-1]) < int(FREE * costs.shape[-1])
    return np.where((own < before)[:, :, None] & early, np.inf, costs)


def _ends(steps: int) -> np.ndarray:
    """Step `(14, N)` at which each gap of `gap_costs` ends, by its length and its first step."""
    return np.minimum(np.arange(steps) + np.arange(1, LONGEST + 1)[:, None], steps - 1)


def cheapest(begun: np.ndarray, costs: np.ndarray, count: int, tick: Tick = nothing) -> tuple[tuple[int, ...], float]:
    """The cheapest way of `count` steps, and its cost, by dynamic programming over the last two computed steps.

    `begun` `(longest,)` as in first_costs, `costs` `(14, 14, N)` as in gap_costs. The k-th of the steps is no earlier
    than step k, and so early that the others fit behind it: `slack` + 1 places.
    """
    slack = costs.shape[-1] - count
    least = np.full((LONGEST, slack + 1), np.inf)  # of reaching a place with a gap of 14 to 1 steps
    for length, cost in enumerate(begun[: slack + 1], 1):
        least[LONGEST - length, length - 1] = cost
    came: list[np.ndarray] = []
    for done in range(1, count - 1):
        tick()
        totals = least[:, None] + costs[:, :, done : done + slack + 1]
        came.append(totals.argmin(axis=0).astype(np.int8))
        least = _moved(totals.min(axis=0))
    reached = least[:, slack]
    return _read(reached, came, slack) if np.isfinite(reached.min()) else ((), np.inf)


def _moved(reached: np.ndarray) -> np.ndarray:
    """`reached` by length, 14 to 1, and last step of a gap, given by its length, 1 to 14, and its first step."""
    moved = np.full_like(reached, np.inf)
    for length, row in enumerate(reached[: reached.shape[1]], 1):
        moved[LONGEST - length, length - 1 :] = row[: len(row) - length + 1]
    return moved


def _read(least: np.ndarray, came: Sequence[np.ndarray], place: int) -> tuple[tuple[int, ...], float]:
    """The steps of the cheapest way, read from its end. `least`: by the length of the last gap, 14 to 1."""
    row = int(least.argmin())
    total, step = float(least[row]), len(came) + 1 + place
    chosen = [step]
    for done in range(len(came), -1, -1):
        length = LONGEST - row
        step -= length
        chosen.append(step)
        if done:
            row = int(came[done - 1][length - 1, step - done])
    return tuple(reversed(chosen)), total

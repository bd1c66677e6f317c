"""Which steps to compute: dynamic programming on the signed error of each gap."""

from collections.abc import Sequence

import numpy as np

from ..errors import check_range
from ..predictor import lagrange

LONGEST = 14  # steps from one computed step to the next, at most
FIRST, FIRST_FITTED = 0.04, 0.15  # of all steps, in the first gap: it can only reuse, and one picture may hide what that costs (docs/DESIGN_NOTES.md)
FREE = 0.8  # share of the steps before which no gap is shorter than the one before it
TINY = 1e-30
LEAST_SIGNAL = 0.1  # below this share of clean latent in the state, an error grows no further


def growth(signal: Sequence[float]) -> np.ndarray:
    """How much an error of the state grows until the end, `(N,)`, where the state holds the share `signal` of the clean latent.

    x = a x0 + s eps: what is off by d in a x0 is off by d / a in x0. For flow models a = 1 - sigma. Measured growth on the lab's models follows
    this down to about 0.1 (docs/DESIGN_NOTES.md).
    """
    return 1 / np.maximum(np.asarray(signal, dtype=np.float64), LEAST_SIGNAL)


def gap_error(nodes: Sequence[float], weights: Sequence[float], before: int | None, start: int, end: int) -> np.ndarray:
    """Coefficients `(N,)` of the outputs in the displacement that a gap causes: what the steps between `start` and `end`, both computed,
    should have added to the state, less what they add when they are extrapolated from `start` and the computed step `before` it.

    Signed, so errors within the gap may cancel. Without a step before, `start` is reused.
    """
    anchors = [start] if before is None else [start, before]
    error = np.zeros(len(nodes))
    for step in range(start + 1, end):
        error[step] += weights[step]
        for anchor, share in zip(anchors, lagrange([nodes[a] for a in anchors], nodes[step]), strict=True):
            error[anchor] -= weights[step] * share
    return error


def fitted(gram: np.ndarray, error: np.ndarray, before: int, start: int) -> np.ndarray:
    """`error` after a fit (Tracker): less the multiple of the difference between the two computed outputs that leaves the least displacement."""
    difference = gram[start] - gram[before]  # its inner products with every output
    share = difference @ error / max(difference[start] - difference[before], TINY)
    left = error.copy()
    left[[start, before]] -= share, -share
    return left


def first_gap(steps: int, fits: bool = False) -> int:
    """Steps from the first computed step to the second, at most, in a plan that is made from few pictures. `fits`: see best_steps."""
    return max(2, round((FIRST_FITTED if fits else FIRST) * steps))


def gap_costs(gram: np.ndarray, nodes: Sequence[float], weights: Sequence[float], first: int = LONGEST, fits: bool = False) -> np.ndarray:
    """Squared norm of the displacement of each gap, by (before, start, end): `(N + 1, N, N)`; index N is no step before. Infinite where
    there is no such gap. `fits`: whether predictions will be fitted."""
    steps = len(nodes)
    costs = np.full((steps + 1, steps, steps), np.inf)
    for start in range(steps):
        befores = range(max(0, start - LONGEST), start) if start else [steps]
        for end in range(start + 1, min(steps, start + (LONGEST if start else first) + 1)):
            for before in befores:
                error = gap_error(nodes, weights, None if before == steps else before, start, end)
                error = fitted(gram, error, before, start) if fits and before < steps else error
                used = np.flatnonzero(error)
                costs[before, start, end] = max(0.0, error[used] @ gram[np.ix_(used, used)] @ error[used])
    return costs


def widening(costs: np.ndarray) -> np.ndarray:
    """The costs without the gaps that are shorter than the one before them and start before the last fifth: extrapolation over a long gap from two
    samples that lie close together is what goes wrong with other pictures."""
    steps, kept = costs.shape[1], costs.copy()
    for start in range(1, int(FREE * steps)):
        for before in range(start):
            kept[before, start, start + 1 : 2 * start - before] = np.inf
    return kept


def best_steps(gram: np.ndarray, nodes: Sequence[float], weights: Sequence[float], count: int, first: int = LONGEST,
               grown: Sequence[float] | None = None, fits: bool = False) -> tuple[int, ...]:
    """The `count` steps to compute, the first and the last among them, whose gaps displace the state least in sum.

    `gram`: inner products of the outputs `(N, N)`. `first`: length of the first gap, at most. `grown`: how much a displacement at each step
    grows until the end; where it is given, a gap counts by what is left at the end, and gaps widen. `fits`: whether predictions will be fitted.
    The sum is not the error of the sampling, because gaps disturb each other: a schedule counts once a run with it was compared. Raises
    ConfigError for a `count` above N, or too small for gaps of at most `first` and then 14 steps.
    """
    steps = len(nodes)
    check_range("count", count, 2 + max(0, -(-(steps - 1 - first) // LONGEST)), steps)
    costs = gap_costs(np.asarray(gram, dtype=np.float64), nodes, weights, first, fits)
    if grown is None:
        return _cheapest(costs, count)[0]
    costs *= np.square(grown)
    chosen, total = _cheapest(widening(costs), count)
    return chosen if np.isfinite(total) else _cheapest(costs, count)[0]


def _cheapest(costs: np.ndarray, count: int) -> tuple[tuple[int, ...], float]:
    """Dynamic programming over the last two computed steps: the cheapest way of `count` steps, and what it costs."""
    steps = costs.shape[1]
    least = np.full((steps + 1, steps), np.inf)  # of reaching (before, start)
    least[steps, 0] = 0.0
    came: list[np.ndarray] = []
    for _ in range(count - 1):
        totals = least[:, :, None] + costs
        came.append(totals.argmin(axis=0))
        least = np.vstack([totals.min(axis=0), np.full(steps, np.inf)])
    end, start = steps - 1, int(least[:steps, steps - 1].argmin())
    chosen, total = [end], float(least[start, end])
    for before in reversed(came):
        chosen.append(start)
        start, end = int(before[start, end]), start
    return tuple(sorted(set(chosen) - {steps})), total

"""Which steps to compute: dynamic programming on the signed error of each gap."""

from collections.abc import Sequence

import numpy as np

from ..errors import check_range
from ..predictor import lagrange

LONGEST = 14  # steps from one computed step to the next, at most
FIRST = 0.08  # of all steps, in the first gap: it can only reuse, and a single picture may hide what that costs (docs/DESIGN_NOTES.md)


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


def first_gap(steps: int) -> int:
    """Steps from the first computed step to the second, at most, in a plan that is made from few pictures."""
    return max(2, round(FIRST * steps))


def gap_costs(gram: np.ndarray, nodes: Sequence[float], weights: Sequence[float], first: int = LONGEST) -> np.ndarray:
    """Squared norm of the displacement of each gap, by (before, start, end): `(N + 1, N, N)`; index N is no step before. Infinite where
    there is no such gap."""
    steps = len(nodes)
    costs = np.full((steps + 1, steps, steps), np.inf)
    for start in range(steps):
        befores = range(max(0, start - LONGEST), start) if start else [steps]
        for end in range(start + 1, min(steps, start + (LONGEST if start else first) + 1)):
            for before in befores:
                error = gap_error(nodes, weights, None if before == steps else before, start, end)
                used = np.flatnonzero(error)
                costs[before, start, end] = max(0.0, error[used] @ gram[np.ix_(used, used)] @ error[used])
    return costs


def best_steps(gram: np.ndarray, nodes: Sequence[float], weights: Sequence[float], count: int,
               first: int = LONGEST) -> tuple[int, ...]:
    """The `count` steps to compute, the first and the last among them, whose gaps displace the state least in sum.

    `gram`: inner products of the outputs `(N, N)`. `first`: length of the first gap, at most. The state of the programme is the last two
    computed steps. The sum is not the error of the sampling, because gaps disturb each other: a schedule counts once a run with it was
    compared. Raises ConfigError for a `count` above N, or too small for gaps of at most `first` and then 14 steps.
    """
    steps = len(nodes)
    check_range("count", count, 2 + max(0, -(-(steps - 1 - first) // LONGEST)), steps)
    costs = gap_costs(np.asarray(gram, dtype=np.float64), nodes, weights, first)
    least = np.full((steps + 1, steps), np.inf)  # of reaching (before, start)
    least[steps, 0] = 0.0
    came: list[np.ndarray] = []
    for _ in range(count - 1):
        totals = least[:, :, None] + costs
        came.append(totals.argmin(axis=0))
        least = np.vstack([totals.min(axis=0), np.full(steps, np.inf)])
    end, start = steps - 1, int(least[:steps, steps - 1].argmin())
    chosen = [end]
    for before in reversed(came):
        chosen.append(start)
        start, end = int(before[start, end]), start
    return tuple(sorted(set(chosen) - {steps}))

"""Which steps to compute: dynamic programming on the signed error of each gap."""

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import check_range
from ..predictor import lagrange

LONGEST = 14  # steps from one computed step to the next, at most
FIRST, FIRST_FITTED = (
    0.04,
    0.15,
)  # of all steps, in the first gap: it can only reuse, and one picture may hide what that costs (docs/DESIGN_NOTES.md)
FREE = 0.8  # share of the steps before which no gap is shorter than the one before it
TINY = 1e-30
LEAST_SIGNAL = 0.1  # below this share of clean latent in the state, an error grows no further


def growth(signal: Sequence[float]) -> np.ndarray:
    """How much an error of the state grows until the end, `(N,)`, where the state holds the share `signal` of the
    clean latent.

    x = a x0 + s eps: what is off by d in a x0 is off by d / a in x0. For flow models a = 1 - sigma. Measured growth
    on the lab's models follows this down to about 0.1 (docs/DESIGN_NOTES.md).
    """
    return 1 / np.maximum(np.asarray(signal, dtype=np.float64), LEAST_SIGNAL)


def first_gap(steps: int, fits: bool = False) -> int:
    """Steps from the first computed step to the second, at most, in a plan that is made from few pictures. `fits`:
    see best_steps."""
    return max(2, round((FIRST_FITTED if fits else FIRST) * steps))


def nothing() -> None:
    """A call between two pieces of work that nobody may cancel: it does nothing."""


def first_costs(gram: np.ndarray, weights: Sequence[float], longest: int) -> np.ndarray:
    """Squared norm of the displacement `(longest,)` of a first gap of 1, 2, ... steps, which reuses step 0."""
    error = np.zeros((longest, longest))
    for step in range(1, longest):
        error[step:, step] = weights[step]
        error[step:, 0] -= weights[step]
    return _squared(gram[:longest, :longest], error)


def gap_costs(
    gram: np.ndarray,
    nodes: Sequence[float],
    weights: Sequence[float],
    fits: bool = False,
    tick: Callable[[], None] = nothing,
) -> np.ndarray:
    """Squared norm of the displacement of each later gap, `(14, 14, N)`, by the length of the gap before it (from 14
    down to 1), by its own length (from 1 to 14) and by its first step.

    Infinite where there is no such gap. `fits`: whether predictions will be fitted.
    """
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
    """Coefficients of `n` outputs in the displacement that each gap from `start` causes, `(start, n - start, n)`, by
    the computed step before it and by its end: what its steps should have added to the state, less what they add
    when they are extrapolated from `start` and that step.

    Signed, so errors within a gap may cancel.
    """
    at, moved = np.asarray(nodes[start + 1 :]), np.asarray(weights[start + 1 :])
    newest, older = lagrange((nodes[start], np.asarray(nodes[:start])[:, None]), at)
    added = np.zeros((start, len(nodes) - start, len(nodes)))
    befores, lengths = np.arange(start)[:, None], np.arange(1, len(nodes) - start)
    added[:, lengths, start + lengths] = moved
    added[:, 1:, start] = -moved * newest
    added[befores, lengths, befores] = -moved * older
    return added.cumsum(axis=1)


def fitted(gram: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """`errors` of gap_errors after a fit (Tracker): less the multiple of the difference between the two computed
    outputs that leaves the least displacement."""
    start, left = len(errors), errors.copy()
    befores = np.arange(start)
    difference = gram[start] - gram[:start]  # its inner products with every output
    own = np.maximum(difference[:, start] - difference[befores, befores], TINY)
    shares = np.einsum("ben,bn->be", errors, difference) / own[:, None]
    left[:, :, start] -= shares
    left[befores, :, befores] += shares
    return left


def _squared(gram: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Squared norm of the displacement of each row of `errors` `(..., n)`."""
    return np.maximum(0.0, np.einsum("...i,...i", errors @ gram, errors))


def widening(costs: np.ndarray) -> np.ndarray:
    """The costs without the gaps that are shorter than the one before them and start before the last fifth:
    extrapolation over a long gap from two samples that lie close together is what goes wrong with other pictures."""
    before, own = np.arange(LONGEST, 0, -1)[:, None], np.arange(1, LONGEST + 1)
    early = np.arange(costs.shape[-1]) < int(FREE * costs.shape[-1])
    return np.where((own < before)[:, :, None] & early, np.inf, costs)


def best_steps(
    gram: np.ndarray,
    nodes: Sequence[float],
    weights: Sequence[float],
    count: int,
    first: int = LONGEST,
    grown: Sequence[float] | None = None,
    fits: bool = False,
    tick: Callable[[], None] = nothing,
) -> tuple[int, ...]:
    """The `count` steps to compute, the first and the last among them, whose gaps displace the state least in sum.

    `gram`: inner products of the outputs `(N, N)`. `first`: length of the first gap, at most. `grown`: how much a
    displacement at each step grows until the end; where it is given, a gap counts by what is left at the end, and
    gaps widen. `fits`: whether predictions will be fitted. `tick`: called again and again; what it raises ends the
    planning. The sum is not the error of the sampling, because gaps disturb each other: a schedule counts once a run
    with it was compared. Raises ConfigError for a `count` above N, or too small for gaps of at most 14 steps, the
    first of at most `first`.
    """
    steps, first = len(nodes), min(first, LONGEST, len(nodes) - 1)
    check_range("count", count, 2 + max(0, -(-(steps - 1 - first) // LONGEST)), steps)
    gram = np.asarray(gram, dtype=np.float64)
    begun, costs = first_costs(gram, weights, first), gap_costs(gram, nodes, weights, fits, tick)
    if grown is None:
        return _cheapest(begun, costs, count, tick)[0]
    left = np.square(grown)
    begun, costs = begun * left[1 : first + 1], costs * left[_ends(steps)]
    chosen, total = _cheapest(begun, widening(costs), count, tick)
    return chosen if np.isfinite(total) else _cheapest(begun, costs, count, tick)[0]


def _ends(steps: int) -> np.ndarray:
    """The step at which each gap of `gap_costs` ends, by its length and its first step: `(14, N)`."""
    return np.minimum(np.arange(steps) + np.arange(1, LONGEST + 1)[:, None], steps - 1)


def _cheapest(
    begun: np.ndarray, costs: np.ndarray, count: int, tick: Callable[[], None]
) -> tuple[tuple[int, ...], float]:
    """Dynamic programming over the last two computed steps: the cheapest way of `count` steps, and what it costs.

    The k-th of them is no earlier than step k, and so early that the others fit behind it: `slack` + 1 places.
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
    """By length, 14 to 1, and last step of a gap what `reached` has by its length, 1 to 14, and its first step."""
    moved = np.full_like(reached, np.inf)
    for length, row in enumerate(reached[: reached.shape[1]], 1):
        moved[LONGEST - length, length - 1 :] = row[: len(row) - length + 1]
    return moved


def _read(least: np.ndarray, came: Sequence[np.ndarray], place: int) -> tuple[tuple[int, ...], float]:
    """The steps of the cheapest way to the last one, from behind. `least`: by the length of the last gap, 14 to 1."""
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

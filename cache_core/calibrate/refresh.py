"""Which of the four states each step has: dynamic programming over displacements, under a budget of measured
compute."""

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import product

import numpy as np

from ..errors import ConfigError
from ..saved_plan.costs import Costs
from ..schedule import Table
from ..site import MODULES, Kind
from .trials import STATES, Trials

LONGEST = 8  # steps between two that compute everything, where kinds may be refreshed alone: 3^7 ways
LONGEST_BOTH = 12  # where they may not
UNITS = 40  # of compute in one computed evaluation
Choice = tuple[float, float, tuple[int, ...]]  # compute, displacement, state of each step between


def gap_gram(trials: Trials, start: int, end: int) -> np.ndarray:
    """Inner products of what the trials between `start` and `end` displace the state by, steps before states: `(3 n,
    3 n)`."""
    steps = slice(start + 1, end)
    weights = np.asarray(trials.recording.weights[steps]).reshape(-1, 1, 1)
    moved = (trials.errors[steps].numpy().astype(np.float64) * weights).reshape(-1, trials.errors.shape[-1])
    return moved @ moved.T


@cache
def ways(length: int, alone: bool) -> tuple[tuple[int, ...], ...]:
    """What `length` steps in a row may predict, as indices of STATES: both, or, with `alone`, one kind only."""
    return tuple(product(range(3), repeat=length)) if alone else ((STATES.index(MODULES),) * length,)


@lru_cache(64)  # costs differ from one calibration to the next
def by_compute(length: int, alone: bool, costs: Costs) -> dict[float, np.ndarray]:
    """The `ways`, as indices, by the compute that they take."""
    spent = (round(sum(costs.of(STATES[i], merged=not alone) for i in states), 6) for states in ways(length, alone))
    found: dict[float, list[int]] = {}
    for way, compute in enumerate(spent):
        found.setdefault(compute, []).append(way)
    return {compute: np.array(those) for compute, those in found.items()}


@cache
def last_computed(length: int, alone: bool) -> tuple[np.ndarray, tuple[tuple[int, int, int], ...]]:
    """For each of the `ways`, and each of its steps, how many steps after the one before the gap, which computes
    everything, attention and the MLP were last computed, `(2, W, length)`; and each step with both, once."""
    predicts = np.array([[kind in state for state in STATES] for kind in (Kind.ATTENTION, Kind.MLP)])
    computed = ~predicts[:, np.array(ways(length, alone))]
    last = np.maximum.accumulate(np.where(computed, np.arange(1, length + 1), 0), axis=-1)
    triples = np.stack([np.broadcast_to(np.arange(length), last[0].shape), *last]).reshape(3, -1)
    return last, tuple(map(tuple, np.unique(triples, axis=1).T.tolist()))


def shares(trials: Trials, start: int, length: int, alone: bool) -> np.ndarray:
    """Coefficients `(W, 3 length)` of the trials after `start`, which computes everything, in the displacement of each
    of the `ways`."""
    last, triples = last_computed(length, alone)
    known = np.zeros((length, length + 1, length + 1, len(STATES)))
    for step, attention, mlp in triples:
        known[step, attention, mlp] = trials.shares(start + 1 + step, start + attention, start + mlp)
    return known[np.arange(length), last[0], last[1]].reshape(last.shape[1], -1)


def nearest(passes: Sequence[Trials], start: int, end: int) -> list[Trials]:
    """The passes in which what was tried between `start` and `end` was computed nearest to `start`."""

    def distance(trials: Trials) -> int:
        return sum(abs(anchor - start) for anchor in trials.anchors[start + 1 : end])

    least = min(map(distance, passes))
    return [trials for trials in passes if distance(trials) == least]


def choices(passes: Sequence[Trials], start: int, end: int, costs: Costs, alone: bool) -> list[Choice]:
    """For each amount of compute between `start` and `end` the states that displace the sample least, by signed sums
    within the gap."""
    options = ways(end - start - 1, alone)
    moved = np.zeros(len(options))
    for trials in nearest(passes, start, end) if end > start + 1 else ():
        c = shares(trials, start, end - start - 1, alone)
        moved += (
            np.einsum("ij,jk,ik->i", c, gap_gram(trials, start, end), c).clip(0)
            / np.square(trials.recording.outputs.numpy()).mean()
        )
    grouped = by_compute(end - start - 1, alone, costs)
    best = {compute: those[moved[those].argmin()] for compute, those in grouped.items()}
    return [(compute, float(moved[way]), options[way]) for compute, way in best.items()]


class Programme:
    """The choices of every gap, from which tables for any budget are read. `alone`: whether one kind may be reused
    without the other."""

    def __init__(self, passes: Sequence[Trials], costs: Costs, alone: bool, longest: int | None = None):
        self.steps, self.costs, self.alone = len(passes[0].recording.nodes), costs, alone
        self.longest = longest or (LONGEST if alone else LONGEST_BOTH)
        self._choices = {(start, end): choices(passes, start, end, costs, alone) for start, end in self._gaps()}

    def _gaps(self) -> Iterator[tuple[int, int]]:
        """From one step that computes everything to the next, or to the end of the sampling."""
        for start in range(self.steps):
            yield from ((start, end) for end in range(start + 1, min(self.steps, start + self.longest) + 1))

    def table(self, speedup: float) -> Table:
        """The table that displaces the sample least, at a compute of steps / `speedup` at most. Raises ConfigError
        if none is so fast."""
        wanted = self.steps / speedup
        most = round(wanted * UNITS)
        least, came = self._ways(max(0, most))
        for units in range(most, 0, -UNITS // 4):
            if not np.isfinite(least[: units + 1].min()):
                break
            table = self._read(came, int(least[: units + 1].argmin()))
            if self.costs.compute(table) <= wanted + 1e-9:
                return table
        raise ConfigError(
            f"speedup {speedup} is more than reuse can give on this device; {self._fastest():.2f} can be reached."
        )

    def _fastest(self) -> float:
        return self.steps / max(
            1e-9,
            self.steps / self.longest + (1 - 1 / self.longest) * self.steps * self.costs.of(MODULES, not self.alone),
        )

    def _ways(self, budget: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """By units of compute, rounded, up to `budget`: the least displacement with which the end is reached, and for
        each step how it is reached, as an index into `_into`."""
        least = {0: np.full(budget + 1, np.inf)}
        least[0][min(UNITS, budget)] = 0.0
        came = [np.full(budget + 1, -1, dtype=np.int16)]
        for end in range(1, self.steps + 1):
            best, way = np.full(budget + 1, np.inf), np.full(budget + 1, -1, dtype=np.int16)
            for number, (start, cost, moved, _) in enumerate(self._into(end)):
                if cost <= budget:
                    reached = least[start][: budget + 1 - cost] + moved
                    better = reached < best[cost:]
                    best[cost:][better], way[cost:][better] = reached[better], number
            least[end] = best
            least.pop(end - self.longest, None)
            came.append(way)
        return least[self.steps], came

    def _into(self, end: int) -> list[tuple[int, int, float, tuple[int, ...]]]:
        """What may lie before `end`, which computes everything or is the end of the sampling: the step where it starts,
        the units that it takes, what it displaces, and its states."""
        full = UNITS if end < self.steps else 0
        starts = range(max(0, end - self.longest), end)
        return [
            (start, round(spent * UNITS) + full, moved, states)
            for start in starts
            for spent, moved, states in self._choices[start, end]
        ]

    def _read(self, came: Sequence[np.ndarray], units: int) -> Table:
        rows: list[frozenset[Kind]] = []
        end = self.steps
        while end:
            start, cost, _, states = self._into(end)[came[end][units]]
            end, units = start, units - cost
            rows = [MODULES, *(MODULES - STATES[i] for i in states), *rows]
        return Table(MODULES, tuple(rows))

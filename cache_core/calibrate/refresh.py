"""Which of the four states each step has: dynamic programming over displacements, under a budget of measured compute."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

import numpy as np

from ..costs import Costs
from ..errors import ConfigError
from ..schedule import Table
from ..site import MODULES, Kind
from .trials import STATES, Trials

LONGEST = 8  # steps between two that compute everything, where kinds may be refreshed alone: 3^7 ways
LONGEST_BOTH = 12  # where they may not
UNITS = 40  # of compute in one computed evaluation
Choice = tuple[float, float, tuple[int, ...]]  # compute, displacement, state of each step between


def gap_gram(trials: Trials, start: int, end: int) -> np.ndarray:
    """Inner products of what the trials between `start` and `end` displace the state by, steps before states: `(3 n, 3 n)`."""
    steps = slice(start + 1, end)
    weights = np.asarray(trials.recording.weights[steps]).reshape(-1, 1, 1)
    moved = (trials.errors[steps].numpy().astype(np.float64) * weights).reshape(-1, trials.errors.shape[-1])
    return moved @ moved.T


@cache
def ways(length: int, alone: bool) -> tuple[tuple[int, ...], ...]:
    """What `length` steps in a row may predict, as indices of STATES: both, or, with `alone`, one kind only."""
    return tuple(product(range(3), repeat=length)) if alone else ((STATES.index(MODULES),) * length,)


def shares(trials: Trials, start: int, states: Sequence[int]) -> np.ndarray:
    """Coefficients `(3 n,)` of the trials after `start`, which computes everything, in the displacement that `states` cause."""
    last, found = dict.fromkeys(MODULES, start), []
    for step, state in enumerate((STATES[i] for i in states), start + 1):
        last.update(dict.fromkeys(MODULES - state, step))
        found += trials.shares(step, last[Kind.ATTENTION], last[Kind.MLP])
    return np.array(found)


def nearest(passes: Sequence[Trials], start: int, end: int) -> list[Trials]:
    """The passes in which what was tried between `start` and `end` was computed nearest to `start`."""
    def distance(trials: Trials) -> int:
        return sum(abs(anchor - start) for anchor in trials.anchors[start + 1 : end])

    least = min(map(distance, passes))
    return [trials for trials in passes if distance(trials) == least]


def choices(passes: Sequence[Trials], start: int, end: int, costs: Costs, alone: bool) -> list[Choice]:
    """For each amount of compute between `start` and `end` the states that displace the sample least, by signed sums within the gap."""
    options = ways(end - start - 1, alone)
    spent = [sum(costs.of(STATES[i], merged=not alone) for i in states) for states in options]
    moved = np.zeros(len(options))
    for trials in nearest(passes, start, end) if end > start + 1 else ():
        c = np.stack([shares(trials, start, states) for states in options])
        moved += np.einsum("ij,jk,ik->i", c, gap_gram(trials, start, end), c).clip(0) / np.square(trials.recording.outputs.numpy()).mean()
    best: dict[float, Choice] = {}
    for choice in zip((round(s, 6) for s in spent), moved.tolist(), options, strict=True):
        best[choice[0]] = min(best.get(choice[0], choice), choice, key=lambda found: found[1])
    return list(best.values())


class Programme:
    """The choices of every gap, from which tables for any budget are read. `alone`: whether one kind may be reused without the other."""

    def __init__(self, passes: Sequence[Trials], costs: Costs, alone: bool, longest: int | None = None):
        self.steps, self.costs, self.alone = len(passes[0].recording.nodes), costs, alone
        self.longest = longest or (LONGEST if alone else LONGEST_BOTH)
        self._choices = {(start, end): choices(passes, start, end, costs, alone) for start, end in self._gaps()}

    def _gaps(self) -> Iterator[tuple[int, int]]:
        """From one step that computes everything to the next, or to the end of the sampling."""
        for start in range(self.steps):
            yield from ((start, end) for end in range(start + 1, min(self.steps, start + self.longest) + 1))

    def table(self, speedup: float) -> Table:
        """The table that displaces the sample least, at a compute of steps / `speedup` at most. Raises ConfigError if none is so fast."""
        wanted = self.steps / speedup
        for units in range(round(wanted * UNITS), 0, -UNITS // 4):
            table = self._table(units)
            if table is None:
                break
            if self.costs.compute(table) <= wanted + 1e-9:
                return table
        raise ConfigError(f"speedup {speedup} is more than reuse can give on this device; {self._fastest():.2f} can be reached.")

    def _fastest(self) -> float:
        return self.steps / max(1e-9, self.steps / self.longest + (1 - 1 / self.longest) * self.steps * self.costs.of(MODULES, not self.alone))

    def _table(self, budget: int) -> Table | None:
        """By units of compute, rounded: least[step][units] is the least displacement with which `step` is reached and computes everything."""
        least = np.full((self.steps + 1, budget + 1), np.inf)
        least[0, min(UNITS, budget)] = 0.0
        came: dict[tuple[int, int], tuple[int, int, tuple[int, ...]]] = {}
        for start, end in self._gaps():
            for spent, moved, states in self._choices[start, end]:
                cost = round(spent * UNITS) + (UNITS if end < self.steps else 0)
                if cost > budget:
                    continue
                reached = least[start, : budget + 1 - cost] + moved
                for units in np.flatnonzero(reached < least[end, cost:]) + cost:
                    least[end, units] = reached[units - cost]
                    came[end, units] = (start, units - cost, states)
        units = int(least[self.steps].argmin())
        return self._read(came, units) if np.isfinite(least[self.steps, units]) else None

    def _read(self, came: dict, units: int) -> Table:
        rows: list[frozenset[Kind]] = []
        end = self.steps
        while end:
            end, units, states = came[end, units]
            rows = [MODULES, *(MODULES - STATES[i] for i in states), *rows]
        return Table(MODULES, tuple(rows))



"""The tables that a calibration compares in closed loop, all at one budget of measured compute."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_range
from ..plan import Plan
from ..predictor import Fit
from ..saved_plan.costs import Costs
from ..saved_plan.saved_plan import Origin, SavedPlan
from ..schedule import Frame, Table, TableAt, TwoStage, evenly, from_steps
from ..settings.presets import auto_warmup
from ..site import MODULES
from ..timeline import Timeline
from .gaps import best_steps, first_gap
from .greedy import algorithm_1, error_of
from .measure import Pass, propagated
from .refresh import Programme
from .trials import Trials

FEWEST = 3  # computed steps


@dataclass(frozen=True)
class Candidate:
    """A table, the order of its predictions and, once fitted, the weights of its corrections."""

    name: str
    table: Table
    order: int = 1
    fits: tuple[Fit, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether it somewhere reuses one kind without the other."""
        return not self.table.states() <= {MODULES}

    def cache_plan(self, origin: Origin, sigmas: tuple[float, ...], costs: Costs | None = None) -> SavedPlan:
        return SavedPlan(origin, TableAt(self.table, sigmas), self.fits, self.order, costs=costs)

    def plan(self, timeline: Timeline) -> Plan:
        """As it is run once it is chosen."""
        return self.cache_plan(Origin("", samples=1), timeline.sigmas).plan(timeline, f"FEB-Cache, {self.name}")


def front_loaded(steps: int, count: int) -> tuple[int, ...]:
    """The named presets' steps at this count: a warm-up, and even steps after it."""
    warmup = max(1, min(auto_warmup(steps), count - 2))
    rest = evenly(steps - warmup, max(2, count - warmup))
    return tuple(sorted({*range(warmup), *(warmup + step for step in rest)}))


def stage_rule(timeline: Timeline, costs: Costs, speedup: float) -> Table | None:
    """FEB-Cache's two-stage rule with the least intervals that reach `speedup`; None if none does."""
    warmup = auto_warmup(timeline.steps)
    for fragile in range(1, 7):
        for other in range(fragile, 11):
            table = TwoStage(other, other, fragile, frame=Frame(warmup)).table(timeline)
            if costs.speedup(table) >= speedup:
                return table
    return None


def candidates(
    passes: Sequence[Pass], timeline: Timeline, costs: Costs, gain: Sequence[float], speedup: float
) -> list[Candidate]:
    """What is compared: uniform tables, the presets' steps, the stage rule, Algorithm 1, and tables planned for the
    measured errors.

    Raises ConfigError if reuse cannot be so fast here.
    """
    steps = timeline.steps
    count = full_steps(costs, steps, speedup)
    uniform, front = (
        from_steps(MODULES, chosen, steps) for chosen in (evenly(steps, count), front_loaded(steps, count))
    )
    found = [
        Candidate("uniform, reuse", uniform),
        Candidate("uniform, order 2", uniform, 2),
        Candidate("presets' steps, reuse", front),
        Candidate("presets' steps, order 2", front, 2),
    ]
    ruled = stage_rule(timeline, costs, speedup)
    voted = algorithm_1(
        [error_of(p.trials, banded=True) for p in passes], timeline.times, lambda table: costs.speedup(table) >= speedup
    )
    rules = [Candidate("Algorithm 1", voted), *([Candidate("stage rule", ruled)] if ruled else [])]
    return [*found, *planned(passes, timeline, costs, gain, speedup), *rules]


def planned(
    passes: Sequence[Pass], timeline: Timeline, costs: Costs, gain: Sequence[float], speedup: float
) -> list[Candidate]:
    """Tables by dynamic programming: over the measured errors of reuse, and over those of extrapolating the recorded
    outputs."""
    felt = [propagated(p.trials, gain) for p in passes]
    merged, alone = (by_programme(felt, costs, alone, speedup) for alone in (False, True))
    return [planned_steps(passes, full_steps(costs, timeline.steps, speedup)), *merged, *alone]


def planned_steps(passes: Sequence[Pass], count: int) -> Candidate:
    """The `count` steps that are best for extrapolating the recorded outputs."""
    recording = passes[0].trials.recording
    steps, gram = len(recording.nodes), sum(np.asarray(p.trials.recording.gram()) for p in passes)
    chosen = best_steps(gram, recording.nodes, recording.weights, count, first_gap(steps))
    return Candidate("planned for order 2", from_steps(MODULES, chosen, steps), 2)


def by_programme(felt: Sequence[Trials], costs: Costs, alone: bool, speedup: float) -> list[Candidate]:
    """Candidates with the table that displaces least. `alone`: among those that may reuse a kind alone, and so
    cannot merge; none where these are not so fast, and where the best of them does not: it computes less than the
    merged one at the same speed."""
    try:
        table = Programme(felt, costs, alone).table(speedup)
    except ConfigError:
        return []
    name = "planned, four states" if alone else "planned"
    found = [Candidate(f"{name}, order 2", table, 2), Candidate(f"{name}, reuse", table)]
    return [candidate for candidate in found if candidate.alone is alone]


def full_steps(costs: Costs, steps: int, speedup: float) -> int:
    """Steps that compute everything where the others reuse both, for `speedup`. Raises ConfigError if too few are left."""
    count = costs.full_steps(steps, speedup)
    fastest = steps / (FEWEST + costs.merged * (steps - FEWEST))
    if count < FEWEST:
        raise ConfigError(
            f"speedup {speedup} is more than reuse can give here: {fastest:.2f} is the most, because a step that "
            "reuses both kinds "
            f"still takes {costs.merged:.0%} of one that computes them."
        )
    check_range("speedup", speedup, 1.0, fastest)
    return count

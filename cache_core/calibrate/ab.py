"""The best plan for the model's output that a number of samplings can find."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random

import numpy as np

from ..cache_plan import CachePlan, Origin, model_plan
from ..errors import check_range
from ..schedule import evenly
from .allowance import Allowance
from .bench import Bench
from .gaps import best_steps, first_gap, growth
from .memo import Memo
from .recording import Recording
from .trials import Trial, Trials

FEWEST = 4  # computed steps
EARLY = 0.35  # of the computed steps, one after another at the start of the dense-early schedule
MOST_SPEEDUP, LEAST_SPEEDUP = 8.0, 1.2
Attempt = Callable[[str, tuple[int, ...]], Trial]


@dataclass(frozen=True)
class Request:
    """What to look for. `speedup`: steps for each computed one. `drift`: where above 0, the fewest computed steps whose drift stays below it,
    instead. `samples`: recorded, fewer where `budget`, in uncached samplings, does not allow them. `seed`: of the refinement.

    `planned`, `grown`, `fitted`, `refined` switch parts of the method off, to see what each is worth: dynamic programming, its weights for what an
    error grows to, the fitted corrections, and the search among the neighbours of the best schedule.
    """

    speedup: float = 3.0
    drift: float = 0.0
    samples: int = 4
    budget: float = 12.0
    seed: int = 0
    planned: bool = True
    grown: bool = True
    fitted: bool = True
    refined: bool = True

    def __post_init__(self) -> None:
        check_range("target_speedup", self.speedup, LEAST_SPEEDUP, MOST_SPEEDUP)
        check_range("target_drift", self.drift, 0.0, 1.0)
        check_range("samples", self.samples, 1, 64)
        check_range("calibration_budget", self.budget, 2, 1000)

    def count(self, steps: int) -> int:
        """Computed steps of `steps`."""
        return min(steps, max(FEWEST, round(steps / self.speedup)))

    def affordable(self, steps: int) -> int:
        """Samples that leave enough for two trials."""
        each = 1 + 2 * self.count(steps) / steps
        return max(1, min(self.samples, int(self.budget / each)))


@dataclass(frozen=True)
class Calibrated:
    """`plan` is the best of the `trials`, in the order in which they were made; `spent` in uncached samplings."""

    plan: CachePlan
    trials: tuple[Trial, ...]
    samples: int
    spent: float
    best: Trial = field(repr=False)


def calibrate(bench: Bench, origin: Origin, request: Request, memo: Memo | None = None, allowance: Allowance | None = None,
              keep: Callable[[CachePlan], None] = lambda plan: None) -> Calibrated:
    """Record samples, try schedules on them and refine the best. `keep` is given every plan that is better than those before it.

    Deterministic: the same bench and request give the same plan. Raises ConfigError for a sampler that cannot be recorded.
    """
    trials = Trials(bench, allowance or Allowance(request.budget), memo or Memo())
    trials.record(request.affordable(trials.steps))
    best, made = None, Origin(**{**vars(origin), "samples": len(trials.recorded), "made": str(date.today())})
    for trial in _searched(trials, request):
        if best is None or trial.drift < best.drift:
            best = trial
            keep(_plan(best, bench, made))
    return Calibrated(_plan(best, bench, made), tuple(trials.made), len(trials.recorded), trials.allowance.spent, best)


def _plan(trial: Trial, bench: Bench, origin: Origin) -> CachePlan:
    return model_plan(trial.steps, bench.timeline.sigmas, origin, trial.fits, trial.drift)


def _searched(trials: Trials, request: Request) -> Iterator[Trial]:
    """One trial after the other, while the allowance lasts: candidates first, then neighbours of the best."""
    count = _count_for(trials, request) if request.drift else request.count(trials.steps)
    found = []
    for attempt, name, steps in _attempts(trials, candidates(trials, count, request), request.fitted):
        if not found or trials.allowance.affords(trials.cost(count)):
            found.append(attempt(name, steps))
            yield found[-1]
    if request.refined and len(trials.recorded) > 1:  # with one sample it would only learn that sample by heart
        best = min(found, key=lambda trial: trial.drift)
        yield from refined(trials, best, trials.fitted if best.fits else trials.plain, Random(request.seed))


def _attempts(trials: Trials, schedules: dict[str, tuple[int, ...]], fitted: bool) -> list[tuple[Attempt, str, tuple[int, ...]]]:
    """How to try which schedule, the most promising first. Even steps with order 2 are what a plan must never be worse than."""
    if not fitted:
        return [(trials.plain, f"{name}, order 2", steps) for name, steps in schedules.items()]
    attempts = [(trials.fitted, name, steps) for name, steps in schedules.items()]
    return [*attempts[:1], (trials.plain, "even, order 2", schedules["even"]), *attempts[1:]]


def _count_for(trials: Trials, request: Request) -> int:
    """The fewest computed steps whose plan drifts by no more than is wanted, found by bisection; as many as are allowed if none does."""
    low, high = max(FEWEST, round(trials.steps / MOST_SPEEDUP)), round(trials.steps / LEAST_SPEEDUP)
    while low < high and trials.allowance.affords(trials.cost(middle := (low + high) // 2)):
        attempt, name, steps = _attempts(trials, candidates(trials, middle, request), request.fitted)[0]
        low, high = (low, middle) if attempt(name, steps).drift <= request.drift else (middle + 1, high)
    return high


def candidates(trials: Trials, count: int, request: Request) -> dict[str, tuple[int, ...]]:
    """Schedules of `count` computed steps, by name."""
    found = {"dense early": dense_early(trials.steps, count), "even": evenly(trials.steps, count)}
    if not request.planned:
        return found
    grown = growth(trials.bench.signal) if request.grown else None
    recordings = [recorded.recording for recorded in trials.recorded]
    planned = {"planned": steps_from(recordings, count, grown)}
    if len(recordings) > 1:  # the sum may be ruled by one sample that is unlike the others
        planned["planned from one sample"] = steps_from(recordings[:1], count, grown)
    return {**planned, **found}


def steps_from(recordings: Sequence[Recording], count: int, grown: Sequence[float] | None) -> tuple[int, ...]:
    """The `count` steps that are best for the recordings together. `grown`: see gaps.growth; None leaves it out."""
    first, gram = recordings[0], sum(recording.gram() for recording in recordings)
    return best_steps(gram.numpy(), first.nodes, first.weights, count, first_gap(len(first.nodes)), grown)


def dense_early(steps: int, count: int) -> tuple[int, ...]:
    """`count` of `steps` steps: a third one after another at the start, and then ever wider gaps, as in the lists published for FLUX
    (SOTA.md section 6)."""
    start = max(1, round(EARLY * count))
    places = np.geomspace(start, steps - 1, count - start + 1)[1:] if count > start else np.array([])
    chosen = list(range(start))
    for left, place in zip(range(count - start, 0, -1), places, strict=True):
        chosen.append(min(steps - left, max(chosen[-1] + 1, round(float(place)))))
    return tuple(chosen)


def refined(trials: Trials, best: Trial, attempt: Attempt, random: Random) -> Iterator[Trial]:
    """Move one computed step of the best schedule at a time by one or two, and go on from there where that is better."""
    seen = {trial.steps for trial in trials.made}
    while moves := [steps for steps in neighbours(best.steps) if steps not in seen]:
        if not trials.allowance.affords(trials.cost(len(best.steps))):
            return
        steps = random.choice(moves)
        seen.add(steps)
        trial = attempt("refined", steps)
        best = min(best, trial, key=lambda trial: trial.drift)
        yield trial


def neighbours(steps: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The schedules in which one step, neither the first nor the last, is one or two steps earlier or later."""
    moved = (tuple(sorted({*steps} - {step} | {step + by})) for step in steps[1:-1] for by in (-2, -1, 1, 2))
    return [found for found in moved if len(found) == len(steps) and found[0] == steps[0] and found[-1] == steps[-1]]

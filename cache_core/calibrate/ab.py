"""The best plan for the model's output that a number of samplings can find."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import inf
from random import Random

import numpy as np

from ..errors import ConfigError, check_range
from ..plan import MIN_STEPS, MOST_STEPS
from ..saved_plan.saved_plan import Origin, SavedPlan, model_plan
from ..schedule import evenly
from .allowance import Allowance
from .attempts import Attempt, Attempts
from .bench import Bench
from .gaps import best_steps, first_gap, growth, nothing
from .memo import Memo
from .recording import Recording

FEWEST = 4  # computed steps
# power of its growth that an error has where predictions are fitted: they take part of it back (docs/DESIGN_NOTES.md)
TAKEN_BACK = 0.75
OTHER_POWERS = {"planned, more early": 1.0, "planned, less early": 0.4}
EARLY = 0.35  # of the computed steps, one after another at the start of the dense-early schedule
MOST_SPEEDUP, LEAST_SPEEDUP = 8.0, 1.2
Method = Callable[[str, tuple[int, ...]], Attempt]


@dataclass(frozen=True)
class Request:
    """What to look for. `speedup`: steps for each computed one. `drift`: where above 0, the fewest computed steps
    whose drift stays below it, instead. `samples`: recorded, fewer where `budget`, in uncached samplings, does not
    allow them. `seed`: of the refinement.

    `planned`, `grown`, `fitted`, `between`, `refined`, `refitted` switch parts of the method off, to see what each
    is worth: dynamic programming, its weights for what an error grows to, all that is fitted, the fitted
    predictions, the search among the neighbours of the best schedule, and the last fit to all samples.
    """

    speedup: float = 3.0
    drift: float = 0.0
    samples: int = 8
    budget: float = 12.0
    seed: int = 0
    planned: bool = True
    grown: bool = True
    fitted: bool = True
    between: bool = True
    refined: bool = True
    refitted: bool = True

    def __post_init__(self) -> None:
        check_range("target_speedup", self.speedup, LEAST_SPEEDUP, MOST_SPEEDUP)
        check_range("target_drift", self.drift, 0.0, 1.0)
        check_range("samples", self.samples, 1, 64)
        check_range("calibration_budget", self.budget, 2, 1000)

    @property
    def fits(self) -> bool:
        """Whether predictions are fitted."""
        return self.fitted and self.between

    def count(self, steps: int) -> int:
        """Computed steps of `steps`."""
        return min(steps, max(FEWEST, round(steps / self.speedup)))

    def affordable(self, steps: int) -> int:
        """Samples that leave enough for two attempts and the last fit."""
        each = 1 + 3 * self.count(steps) / steps
        return max(1, min(self.samples, int(self.budget / each)))


@dataclass(frozen=True)
class Calibrated:
    """`plan` is the best of the `attempts`, in the order in which they were made; `spent` in uncached samplings."""

    plan: SavedPlan
    attempts: tuple[Attempt, ...]
    samples: int
    spent: float
    best: Attempt = field(repr=False)
    recording: Recording = field(repr=False)  # of sample 0


def calibrate(
    bench: Bench,
    origin: Origin,
    request: Request,
    memo: Memo | None = None,
    allowance: Allowance | None = None,
    keep: Callable[[SavedPlan], None] = lambda plan: None,
) -> Calibrated:
    """Record samples, try schedules on them, refine the best and fit it to all of them. `keep` is given every plan
    that is better than those before it.

    Deterministic: the same bench and request give the same plan. Raises ConfigError for a sampler that cannot be
    recorded.
    """
    attempts = Attempts(bench, allowance or Allowance(request.budget), memo or Memo(), request.between)
    check_range("steps", attempts.steps, MIN_STEPS, MOST_STEPS)
    attempts.record(request.affordable(attempts.steps))
    best, made = None, Origin(**{**vars(origin), "samples": len(attempts.recorded), "made": str(date.today())})
    for attempt in _searched(attempts, request):
        if best is None or attempt.drift < best.drift:
            best = attempt
            keep(_plan(best, bench, made))
    if best.drift == inf:
        raise ConfigError(
            f"Every plan that was tried leads this sampler astray, even with {len(best.steps)} of {attempts.steps} "
            "steps computed. "
            "Use euler or another sampler, or leave the cache off."
        )
    if request.refitted and (fitted := attempts.refitted(best)) is not best:
        best = fitted
        keep(_plan(best, bench, made))
    return Calibrated(
        _plan(best, bench, made),
        tuple(attempts.made),
        len(attempts.recorded),
        attempts.allowance.spent,
        best,
        attempts.recorded[0].recording,
    )


def _plan(attempt: Attempt, bench: Bench, origin: Origin) -> SavedPlan:
    return model_plan(attempt.steps, bench.timeline.sigmas, origin, attempt.fits, attempt.drift)


def _searched(attempts: Attempts, request: Request) -> Iterator[Attempt]:
    """One attempt after the other, while the allowance lasts: candidates first, then neighbours of the best."""
    count = _count_for(attempts, request) if request.drift else request.count(attempts.steps)
    found = []
    for method, name, steps in _methods(attempts, count, request):
        found.append(method(name, steps))
        yield found[-1]
        if not attempts.affords(count):
            break
    if request.refined and len(attempts.recorded) > 1:  # with one sample it would only learn that sample by heart
        best = min(found, key=lambda attempt: attempt.drift)
        yield from refined(attempts, best, attempts.fitted if best.fits else attempts.plain, Random(request.seed))


def _methods(attempts: Attempts, count: int, request: Request) -> Iterator[tuple[Method, str, tuple[int, ...]]]:
    """How to try which schedule, the most promising first. Even steps with order 2 are what a plan must never be
    worse than.

    With one sample nothing tells fitted attempts apart but that sample, which each has learned: only the first is
    made.
    """
    for place, (name, steps) in enumerate(candidates(attempts, count, request)):
        if not request.fitted:
            yield attempts.plain, f"{name}, order 2", steps
            continue
        yield attempts.fitted, name, steps
        if place == 0:
            yield attempts.plain, "even, order 2", evenly(attempts.steps, count)
            if len(attempts.recorded) == 1:
                return


def _count_for(attempts: Attempts, request: Request) -> int:
    """The fewest computed steps whose plan drifts by no more than is wanted, found by bisection; as many as are
    allowed if none does."""
    low, high = max(FEWEST, round(attempts.steps / MOST_SPEEDUP)), round(attempts.steps / LEAST_SPEEDUP)
    while low < high and attempts.affords(middle := (low + high) // 2):
        method, name, steps = next(_methods(attempts, middle, request))
        low, high = (low, middle) if method(name, steps).drift <= request.drift else (middle + 1, high)
    return high


def candidates(attempts: Attempts, count: int, request: Request) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Schedules of `count` computed steps, by name, each made when it is asked for."""
    if request.planned:
        yield from _planned(
            [recorded.recording for recorded in attempts.recorded], count, attempts.bench.signal, request
        )
    yield "dense early", dense_early(attempts.steps, count)
    yield "even", evenly(attempts.steps, count)


def _planned(
    recordings: Sequence[Recording], count: int, signal: Sequence[float], request: Request
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """By dynamic programming, each schedule once. One sample alone counts, too: the sum may be ruled by one that is
    unlike the others."""
    grown, seen = growth(signal) if request.grown else None, set()
    ways = [
        ("planned", recordings, TAKEN_BACK),
        ("planned from one sample", recordings[:1], TAKEN_BACK),
        *((name, recordings, power) for name, power in OTHER_POWERS.items()),
    ]
    for name, learned, power in ways:
        steps = steps_from(learned, count, grown, request.fits, power)
        if steps not in seen:
            yield name, steps
        seen.add(steps)


def steps_from(
    recordings: Sequence[Recording],
    count: int,
    grown: np.ndarray | None,
    fits: bool = True,
    power: float = TAKEN_BACK,
    tick: Callable[[], None] = nothing,
) -> tuple[int, ...]:
    """The `count` steps that are best for the recordings together. `grown`: see gaps.growth; None leaves it out.
    `fits`, `tick`: see best_steps. `power`: of `grown`, where predictions are fitted."""
    first, gram = recordings[0], sum(recording.gram() for recording in recordings)
    felt = None if grown is None else grown ** (power if fits else 1.0)
    longest = first_gap(len(first.nodes), fits)
    return best_steps(gram.numpy(), first.nodes, first.weights, count, longest, felt, fits, tick)


def dense_early(steps: int, count: int) -> tuple[int, ...]:
    """`count` of `steps` steps: a third one after another at the start, and then ever wider gaps, as in the lists
    published for FLUX (SOTA.md section 6)."""
    start = max(1, round(EARLY * count))
    places = np.geomspace(start, steps - 1, count - start + 1)[1:] if count > start else np.array([])
    chosen = list(range(start))
    for left, place in zip(range(count - start, 0, -1), places, strict=True):
        chosen.append(min(steps - left, max(chosen[-1] + 1, round(float(place)))))
    return tuple(chosen)


def refined(attempts: Attempts, best: Attempt, method: Attempt, random: Random) -> Iterator[Attempt]:
    """Move one computed step of the best schedule at a time by one or two, and go on from there where that is better."""
    seen = {attempt.steps for attempt in attempts.made}
    while moves := [steps for steps in neighbours(best.steps) if steps not in seen]:
        if not attempts.affords(len(best.steps)):
            return
        steps = random.choice(moves)
        seen.add(steps)
        attempt = method("refined", steps)
        best = min(best, attempt, key=lambda attempt: attempt.drift)
        yield attempt


def neighbours(steps: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The schedules in which one step, neither the first nor the last, is one or two steps earlier or later."""
    moved = (tuple(sorted({*steps} - {step} | {step + by})) for step in steps[1:-1] for by in (-2, -1, 1, 2))
    return [found for found in moved if len(found) == len(steps) and found[0] == steps[0] and found[-1] == steps[-1]]

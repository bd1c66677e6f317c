"""The plan for attention and MLP (FEB-Cache): uncached samples with trials, costs of reuse, and what is learned."""

from dataclasses import dataclass, replace
from time import perf_counter

import torch

from ..errors import ConfigError, check_range
from ..plan import MIN_STEPS, MOST_STEPS, Plan
from ..planning.steps import computed_steps, least_steps
from ..saved_plan.costs import Costs
from ..saved_plan.curves import Curves
from ..saved_plan.saved_plan import Origin
from ..schedule import Steps
from ..site import MODULES
from .learn import LEAST_SPEEDUP, Found, Keep, Lesson, Request
from .ledger import Ledger, Results
from .recording import Recorded, Recording
from .trials import (
    PERIOD,
    Clock,
    Stopwatch,
    TrialRecorder,
    Trials,
    anchors_of,
    costs_of,
    curves_of,
    refreshes,
    trial_plan,
)

LEAST_BUDGET = 12.0
GUESS = 2.8  # uncached samplings that one with trials takes
MEASURED = 0.38  # share of the budget for samplings with trials
TIMED = 2  # samplings that time a merged step
SKIPPED = 2  # steps in a row that they reuse


@dataclass(frozen=True, eq=False)  # tensors have no one truth value
class Measured:
    """Measurements from which plans for any speed-up are made."""

    recorded: tuple[Recorded, ...]
    passes: tuple[Trials, ...]
    costs: Costs
    curves: Curves


def calibrate_modules(
    ledger: Ledger,
    origin: Origin,
    request: Request,
    clock: Clock = perf_counter,
    costs: Costs | None = None,
    keep: Keep = lambda plan: None,
) -> Found:
    """The plan for attention and MLP. `costs`: given in place of measured ones; then nothing depends on a clock.

    Raises ConfigError for a target_speedup that leaves too few steps even if reuse were free, before anything is
    sampled; where reuse gains next to nothing; and for a sampler that cannot be recorded.
    """
    steps = ledger.bench.timeline.steps
    check_range("steps", steps, MIN_STEPS, MOST_STEPS)
    check_range("calibration_budget for attention and MLP", request.budget, LEAST_BUDGET, 1000)
    if not request.drift:
        computed_steps(steps, request.speedup, fits=True)
    return found_in(ledger, measure(ledger, request.samples, clock, costs), origin, request, keep)


def measure(ledger: Ledger, samples: int, clock: Clock = perf_counter, costs: Costs | None = None) -> Measured:
    """Trials and costs. Samples are as many as their share of the budget allows, their refreshes spread over PERIOD."""
    count = max(1, min(samples, int(MEASURED * ledger.total / GUESS)))
    found = [_measured(ledger, number, round(number * PERIOD / count), clock) for number in range(count)]
    recorded, passes = zip(*found, strict=True)
    if costs is None:
        costs = costs_of(passes, [merged_cost(ledger, number, clock) for number in range(TIMED)])
    return Measured(recorded, passes, costs, curves_of(passes, ledger.bench.timeline.times))


def found_in(
    ledger: Ledger, measured: Measured, origin: Origin, request: Request, keep: Keep = lambda plan: None
) -> Found:
    """The plan that the measurements and the budget allow (see calibrate_modules)."""
    steps = ledger.bench.timeline.steps
    lesson = Lesson(ledger, measured.recorded, MODULES, origin, keep, measured.costs)
    count = full_steps(measured.costs, steps, LEAST_SPEEDUP if request.drift else request.speedup)
    if request.drift:
        count = lesson.fewest(request, least_steps(steps, fits=True), count)
    found = lesson.learned(count)
    return replace(found, plan=replace(found.plan, curves=measured.curves))


def full_steps(costs: Costs, steps: int, speedup: float) -> int:
    """Steps that compute everything where the others reuse both kinds, for `speedup`; the fewest that a plan can have
    where that is faster than reuse can be here. Raises ConfigError where reuse gains next to nothing."""
    least = least_steps(steps, fits=True)
    fastest = steps / (least + costs.merged * (steps - least))
    if fastest < LEAST_SPEEDUP:
        raise ConfigError(
            f"Reuse of attention and MLP gains too little here: {fastest:.2f}x at most, because a step that reuses "
            f"both still takes {costs.merged:.0%} of a computed one. Set site to the model's output."
        )
    return max(least, costs.full_steps(steps, speedup))


def _measured(ledger: Ledger, number: int, phase: int, clock: Clock) -> tuple[Recorded, Trials]:
    """A sample, uncached, with reuse tried at each step; reused values are computed anew from step `phase` on."""
    bench, refreshed = ledger.bench, refreshes(ledger.bench.timeline.steps, phase)

    def work() -> Results:
        recorder = TrialRecorder(bench.timeline, refreshed, clock)
        final = ledger.sample(number, (trial_plan(refreshed),), recorder)
        trials = recorder.trials()
        kept = {"states": trials.recording.states, "outputs": trials.recording.outputs}
        kept["final"] = trials.recording.sampled_elements(final)
        return kept | {"bands": trials.bands, "seconds": trials.seconds}

    found = ledger.run(f"measuring sample {number + 1}", GUESS, work, phase)
    recording = Recording.of(bench.timeline, found["states"], found["outputs"])
    anchors = anchors_of(bench.timeline.steps, refreshed)
    return Recorded(recording, found["final"]), Trials(recording, anchors, found["bands"], found["seconds"])


def merged_cost(ledger: Ledger, number: int, clock: Clock) -> float:
    """Time of a step that reuses one residual for each list of blocks, relative to a computed one, in one sampling."""
    timeline = ledger.bench.timeline
    start = (1 + number) * timeline.steps // (TIMED + 2)
    reused = frozenset(range(start + 1, start + 1 + SKIPPED))

    def work() -> Results:
        watch = Stopwatch(timeline, reused, clock)
        computed = tuple(step for step in range(timeline.steps) if step not in reused)
        ledger.sample(0, (Plan(Steps(MODULES, computed), merge=True, name="timing reuse"),), watch)
        return {"ratio": torch.tensor(watch.ratio, dtype=torch.float64)}

    return float(ledger.run("timing reuse", 1.0, work, number)["ratio"])

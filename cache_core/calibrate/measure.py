"""The measurements that a FEB plan is made from: passes with trials, how far displacements reach, costs, error
curves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median, median_low

import numpy as np
import torch
from torch import Tensor

from ..plan import Plan
from ..saved_plan.costs import Costs
from ..saved_plan.curves import Curves
from ..schedule import Steps
from ..site import MODULES
from ..timeline import Timeline
from .bench import Bench
from .greedy import BOUNDARY
from .memo import Results
from .recording import Recording, sampled_elements
from .refresh import gap_gram, nearest, shares
from .trials import PERIOD, TrialRecorder, Trials, anchors_of, refreshes, relative_costs, trial_plan

SKIPPED = 2  # steps that a probe of propagation reuses
CLOSEST = 2  # decimals of a cost: more would be the noise of a clock, and would change plans


@dataclass(frozen=True, eq=False)  # tensors have no one truth value
class Pass:
    """One uncached run with trials: what it showed, and its final latent `(P,)`."""

    trials: Trials
    final: Tensor


def measure_pass(bench: Bench, number: int, phase: int, clock: Callable[[], float]) -> Pass:
    """Sample `number`, uncached, with reuse tried at each step; what is reused is computed anew each PERIOD steps
    from `phase` on."""
    refreshed = refreshes(bench.timeline.steps, phase)
    recorder = TrialRecorder(bench.timeline, bench.scale, refreshed, clock)
    final = sampled_elements(bench.sample(number, (trial_plan(refreshed),), recorder))
    return Pass(recorder.trials(), final)


def packed_pass(found: Pass) -> Results:
    """What unpacked_pass needs."""
    trials = found.trials
    return {
        "states": trials.recording.states,
        "outputs": trials.recording.outputs,
        "errors": trials.errors,
        "bands": trials.bands,
        "seconds": trials.seconds,
        "final": found.final,
    }


def unpacked_pass(kept: Results, bench: Bench, phase: int) -> Pass:
    recording = Recording.of(bench.timeline, bench.scale, kept["states"], kept["outputs"])
    anchors = anchors_of(bench.timeline.steps, refreshes(bench.timeline.steps, phase))
    return Pass(Trials(recording, anchors, kept["errors"], kept["bands"], kept["seconds"]), kept["final"])


class Stopwatch:
    """Times the evaluations of a run whose plan has `table`'s states (calibrate.bench.Watch)."""

    def __init__(self, timeline: Timeline, reused: frozenset[int], clock: Callable[[], float]):
        self.timeline, self.reused, self.clock = timeline, reused, clock
        self.seconds: dict[bool, list[float]] = {True: [], False: []}  # by whether both kinds were reused

    def begin(self, sigma: float, state: Tensor) -> None:
        self._step, self._since = self.timeline.step_of(sigma), self.clock()

    def end(self, output: Tensor) -> Tensor:
        float(output.flatten()[0])  # waits for the device
        if self._step:
            self.seconds[self._step in self.reused].append(self.clock() - self._since)
        return output


def places(steps: int, count: int) -> tuple[int, ...]:
    """`count` steps, spread over a sampling, after each of which SKIPPED can be reused."""
    return tuple(dict.fromkeys(round(k * (steps - 2 - SKIPPED) / max(1, count - 1)) for k in range(count)))


@dataclass(frozen=True)
class Reach:
    """`gain`: what becomes of a displacement of the state at a step by the end of the sampling, as a factor, `(N,)`.
    `merged`: the time of an evaluation that reuses both kinds as one residual for a list of blocks, relative to a
    computed one."""

    gain: tuple[float, ...]
    merged: float


def measure_reach(bench: Bench, passes: Sequence[Pass], count: int, clock: Callable[[], float]) -> Reach:
    """From `count` runs that reuse both kinds in one place only: how far that displaces the final latent, to how far
    the trials displaced the state there. Displacements at high noise grow and those at low noise fade, so that equal
    ones are not equally bad."""
    steps, found, ratios = bench.timeline.steps, {}, []
    for turn, start in enumerate(places(steps, count)):
        number = turn % len(passes)
        reused = frozenset(range(start + 1, start + 1 + SKIPPED))
        watch = Stopwatch(bench.timeline, reused, clock)
        plan = Plan(
            Steps(MODULES, tuple(s for s in range(steps) if s not in reused)),
            merge=True,
            name="FEB-Cache, measuring reach",
        )
        final = sampled_elements(bench.sample(number, (plan,), watch))
        found[start] = _gain(passes, number, start, final)
        ratios.append(min(watch.seconds[True]) / median(watch.seconds[False]))
    gain = np.exp(np.interp(np.arange(steps), list(found), np.log(np.clip(list(found.values()), 1e-3, 1e3))))
    return Reach(tuple(gain.tolist()), min(2.0, median_low(ratios)))


def packed_reach(reach: Reach) -> Results:
    return {
        "gain": torch.tensor(reach.gain, dtype=torch.float64),
        "merged": torch.tensor(reach.merged, dtype=torch.float64),
    }


def _gain(passes: Sequence[Pass], number: int, start: int, final: Tensor) -> float:
    """Displacement of the final latent for each unit of that which the nearest pass's trials cause in the gap after
    `start`; 1 if that is none."""
    trials = nearest([p.trials for p in passes], start, start + 1 + SKIPPED)[0]
    (c,) = shares(trials, start, SKIPPED, alone=False)
    local = (c @ gap_gram(trials, start, start + 1 + SKIPPED) @ c).clip(0) ** 0.5
    local *= (final.numel() / trials.errors.shape[-1]) ** 0.5  # of the same number of elements
    moved = float((final - passes[number].final).norm())
    return moved / local if local > 0 and moved > 0 else 1.0


def propagated(trials: Trials, gain: Sequence[float]) -> Trials:
    """The trials with each step's displacement as it is felt at the end."""
    weights = tuple(w * g for w, g in zip(trials.recording.weights, gain, strict=True))
    return replace(trials, recording=replace(trials.recording, weights=weights))


def measured_costs(passes: Sequence[Pass], reach: Reach) -> Costs:
    """What the states cost here; rounded, so that a plan does not change with the noise of a clock."""
    alone = relative_costs([p.trials for p in passes])
    return Costs(*(round(cost, CLOSEST) for cost in (*alone, reach.merged)))


def curves_of(passes: Sequence[Pass], times: Sequence[float], boundary: float = BOUNDARY) -> Curves:
    """Mean relative errors by stage, state, band and age, over steps and passes."""
    seen: dict[tuple[int, int, int, int], list[float]] = {}
    for trials in (p.trials for p in passes):
        for step, age in enumerate(trials.ages()):
            for state, band in ((s, b) for s in range(3) for b in range(2)) if age else ():
                alone = tuple(float(i == state) for i in range(3))
                seen.setdefault((int(times[step] <= boundary), state, band, age), []).append(
                    trials.relative(step, alone, band)
                )

    def mean(*place: int) -> float:
        values = seen.get(place, [])
        return sum(values) / len(values) if values else float("nan")

    return Curves(
        tuple(
            tuple(
                tuple(tuple(mean(stage, state, band, age) for age in range(1, PERIOD + 1)) for band in range(2))
                for state in range(3)
            )
            for stage in range(2)
        )
    )

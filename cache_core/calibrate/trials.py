"""Costs of reuse, in error and in time, measured on an uncached run: attention, MLP and both are tried at each step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from statistics import mean, median, median_low

import torch
from torch import Tensor

from ..errors import ConfigError
from ..plan import Plan
from ..saved_plan.costs import Costs
from ..saved_plan.curves import BANDS, REUSED, STAGES, Curves
from ..schedule import Steps
from ..site import MODULES, Kind
from ..timeline import Timeline
from .bands import band_grams
from .learn import UNRECORDED
from .recording import Recorder, Recording

STATES = (frozenset({Kind.ATTENTION}), frozenset({Kind.MLP}), MODULES)  # tried, in this order on every axis of states
PERIOD = 8  # steps from one refresh of the reused values to the next: the ages 1 to 8 are seen
BOUNDARY = 0.4  # model time at which the stages meet
CLOSEST = 2  # decimals of a cost: more would be the noise of a clock, and would change plans
Clock = Callable[[], float]  # seconds from any start


@dataclass(frozen=True, eq=False)  # tensors have no one truth value
class Trials:
    """One uncached run of N steps with reuse tried at each but the first.

    `recording`: its states and outputs. `anchors` `(N,)`: step at which the reused values were computed. `bands`
    `(N, 2, 4, 4)`: inner products, in the low and the high band, of the errors of the three STATES and, last, of the
    computed output. `seconds` `(N, 4)`: time of the three trials and of the computed evaluation.
    """

    recording: Recording
    anchors: tuple[int, ...]
    bands: Tensor
    seconds: Tensor

    def relative(self, step: int, weights: tuple[float, float, float], band: int | None = None) -> float:
        """Norm of `sum_s c_s e_s` over the STATES, c = `weights`, relative to the output's; in one band or in both."""
        grams = self.bands[step].sum(0) if band is None else self.bands[step, band]
        c = torch.tensor(weights, dtype=grams.dtype)
        return float((c @ grams[:3, :3] @ c).clamp_min(0).sqrt() / grams[3, 3].clamp_min(1e-30).sqrt())


class TrialRecorder:
    """Watch of a run of `trial_plan` (bench.TrialWatch), of outputs `(1, C, ...)`."""

    def __init__(self, timeline: Timeline, refreshed: tuple[int, ...], clock: Clock):
        self.recorder, self.refreshed, self.clock = Recorder(timeline), refreshed, clock
        self._timeline, self._since, self._step = timeline, 0.0, 0
        self._tried: dict[frozenset[Kind], Tensor] = {}
        self._took: dict[frozenset[Kind], float] = {}
        self._rows: dict[int, tuple[Tensor, Tensor]] = {}

    def begin(self, sigma: float, state: Tensor) -> None:
        self.recorder.begin(sigma, state)
        self._step = self._timeline.step_of(sigma)
        self._tried, self._took, self._since = {}, {}, self.clock()

    def tried(self, kinds: frozenset[Kind], output: Tensor) -> None:
        self._tried[kinds] = output
        self._took[kinds] = self._lap(output)

    def end(self, output: Tensor) -> Tensor:
        own = self._lap(output)
        self.recorder.end(output)
        errors = [self._tried.get(state, output) - output for state in STATES]
        seconds = torch.tensor([*(self._took.get(state, nan) for state in STATES), own])
        grams = band_grams(torch.stack([*errors, output]))
        self._rows[self._step] = grams, seconds
        return output

    def _lap(self, output: Tensor) -> float:
        """Seconds since the last call, the work on `output` included."""
        float(output.flatten()[0])  # waits for the device
        since, self._since = self._since, self.clock()
        return self._since - since

    def trials(self) -> Trials:
        """The trials. Raises ConfigError if the sampler cannot be recorded, or if nothing could be tried."""
        recording = self.recorder.recording()
        if recording is None:
            raise ConfigError(UNRECORDED)
        rows = (self._rows[step] for step in sorted(self._rows))
        bands, seconds = (torch.stack(found) for found in zip(*rows, strict=True))
        if not bands[:, :, :3].any():
            raise ConfigError(
                "Attention and MLP could not be reused: nothing of them fits the cache. Free memory, or lower the size."
            )
        return Trials(recording, anchors_of(len(recording.nodes), self.refreshed), bands, seconds)


def refreshes(steps: int, phase: int, period: int = PERIOD) -> tuple[int, ...]:
    """Steps at which the reused values are computed anew: 0, and each `period`-th from `phase` on."""
    return tuple(sorted({0, *range(phase % period, steps, period)}))


def anchors_of(steps: int, refreshed: tuple[int, ...]) -> tuple[int, ...]:
    """For each step the last of `refreshed` before it; 0 at the first."""
    return tuple(max((s for s in refreshed if s < step), default=0) for step in range(steps))


def trial_plan(refreshed: tuple[int, ...]) -> Plan:
    """The plan of a run that tries the three STATES."""
    return Plan(Steps(MODULES, refreshed), name="measuring", trials=STATES)


class Stopwatch:
    """Watch of the time of each evaluation, at `reused` steps and at others; outputs `(1, C, ...)`."""

    def __init__(self, timeline: Timeline, reused: frozenset[int], clock: Clock):
        self.timeline, self.reused, self.clock = timeline, reused, clock
        self.seconds: dict[bool, list[float]] = {True: [], False: []}
        self._step, self._since = 0, 0.0

    def begin(self, sigma: float, state: Tensor) -> None:
        self._step, self._since = self.timeline.step_of(sigma), self.clock()

    def end(self, output: Tensor) -> Tensor:
        float(output.flatten()[0])  # waits for the device
        if self._step:
            self.seconds[self._step in self.reused].append(self.clock() - self._since)
        return output

    @property
    def ratio(self) -> float:
        """Time of a reused step, relative to a computed one."""
        return min(self.seconds[True]) / median(self.seconds[False])


def costs_of(passes: Sequence[Trials], merged: Sequence[float]) -> Costs:
    """Time of each state relative to a computed evaluation: the median over steps and passes. `merged`: ratios of steps
    that reuse both kinds as one residual for a list of blocks; the shorter of two, as a clock is only ever late."""
    seconds = torch.cat([trials.seconds[1:] for trials in passes])
    seconds = seconds[seconds.isfinite().all(1)]
    full = median(seconds[:, 3].tolist())
    alone = (median(seconds[:, state].tolist()) / full for state in range(len(STATES)))
    return Costs(*(round(min(2.0, cost), CLOSEST) for cost in (*alone, median_low(merged))))


def curves_of(passes: Sequence[Trials], times: Sequence[float], boundary: float = BOUNDARY) -> Curves:
    """Mean relative errors by stage, state, band and age, over steps and passes."""
    seen: dict[tuple[int, int], list[tuple[Trials, int]]] = {}  # by stage and age
    for trials in passes:
        for step, anchor in enumerate(trials.anchors):
            seen.setdefault((int(times[step] <= boundary), step - anchor), []).append((trials, step))

    def curve(stage: int, state: int, band: int) -> tuple[float, ...]:
        alone = (float(state == 0), float(state == 1), float(state == 2))
        found = [seen.get((stage, age), []) for age in range(1, PERIOD + 1)]
        return tuple(mean(t.relative(s, alone, band) for t, s in pairs) if pairs else nan for pairs in found)

    stages, states, bands = (range(len(axis)) for axis in (STAGES, REUSED, BANDS))
    return Curves(tuple(tuple(tuple(curve(g, s, b) for b in bands) for s in states) for g in stages))

"""What reuse costs, in error and in time, measured on an uncached run: at each step attention, MLP and both are
tried."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from ..errors import CacheError
from ..plan import Plan
from ..schedule import Steps
from ..site import MODULES, Kind
from ..timeline import Timeline
from .bands import band_grams
from .recording import Recorder, Recording, sampled_elements

STATES = (
    frozenset({Kind.ATTENTION}),
    frozenset({Kind.MLP}),
    MODULES,
)  # what is tried, in this order wherever an axis is "state"
PERIOD = 8  # steps from one refresh of what is reused to the next: the ages 1 to 8 are seen
ELEMENTS = 2**14  # of each error that are kept


@dataclass(frozen=True, eq=False)  # tensors have no one truth value
class Trials:
    """One uncached run of N steps with reuse tried at each but the first.

    `recording`: its states and outputs. `anchors` `(N,)`: the step at which what is reused was computed. `errors`
    `(N, 3, P)`: tried output less the computed one, by state. `bands` `(N, 2, 4, 4)`: inner products, within the low
    and the high band, of the three errors and, last, of the computed output. `seconds` `(N, 4)`: time of the three
    trials and of the computed evaluation.
    """

    recording: Recording
    anchors: tuple[int, ...]
    errors: Tensor
    bands: Tensor
    seconds: Tensor

    def ages(self) -> tuple[int, ...]:
        """Steps since what is reused was computed; 0 at the first step."""
        return tuple(step - anchor for step, anchor in enumerate(self.anchors))

    def shares(self, step: int, attention: int, mlp: int) -> tuple[float, float, float]:
        """Coefficients of the three errors at `step` in the error of an evaluation whose attention and MLP were last
        computed at these steps.

        The error of a kind grows as the distance in sigma from where it was computed, and what both have beyond the
        sum of each, as the smaller of the two; at the distance that was tried it is what was measured.
        """
        nodes = self.recording.nodes
        tried = nodes[self.anchors[step]] - nodes[step]
        a, m = ((nodes[last] - nodes[step]) / tried for last in (attention, mlp))
        together = min(a, m)
        return a - together, m - together, together

    def relative(self, step: int, shares: tuple[float, float, float], band: int | None = None) -> float:
        """Norm of that error, relative to the output's, in one band or in both."""
        grams = self.bands[step].sum(0) if band is None else self.bands[step, band]
        c = torch.tensor(shares, dtype=grams.dtype)
        return float((c @ grams[:3, :3] @ c).clamp_min(0).sqrt() / grams[3, 3].clamp_min(1e-30).sqrt())


class TrialRecorder:
    """Watches a run of `trial_plan` (calibrate.bench.TrialWatch). `clock`: seconds from any start."""

    def __init__(
        self,
        timeline: Timeline,
        scale: tuple[float, ...],
        refreshes: tuple[int, ...],
        clock: Callable[[], float] = perf_counter,
    ):
        self.recorder, self.refreshes, self.clock = Recorder(timeline, scale), refreshes, clock
        self._timeline, self._since = timeline, 0.0
        self._tried: dict[frozenset[Kind], Tensor] = {}
        self._took: dict[frozenset[Kind], float] = {}
        self._rows: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

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
        kept = torch.stack([sampled_elements(error, ELEMENTS) for error in errors])
        seconds = torch.tensor([*(self._took.get(state, float("nan")) for state in STATES), own])
        self._rows[self._step] = (kept, band_grams(torch.stack([*errors, output])), seconds)
        return output

    def _lap(self, output: Tensor) -> float:
        """Seconds since the last call, the work on `output` included."""
        float(output.flatten()[0])  # waits for the device
        since, self._since = self._since, self.clock()
        return self._since - since

    def trials(self) -> Trials:
        """Raises CacheError if the sampler cannot be recorded, or if nothing could be tried."""
        recording = self.recorder.recording()
        if recording is None:
            raise CacheError(
                "The sampler does not call the model at just its steps, or something was not finite: a plan cannot be "
                "made for it."
            )
        errors, bands, seconds = (
            torch.stack(found) for found in zip(*(self._rows[step] for step in sorted(self._rows)), strict=True)
        )
        if not errors.any():
            raise CacheError(
                "Attention and MLP could not be reused: nothing of them fits the cache. Raise memory, or lower the "
                "size."
            )
        return Trials(recording, anchors_of(len(recording.nodes), self.refreshes), errors, bands, seconds)


def refreshes(steps: int, phase: int, period: int = PERIOD) -> tuple[int, ...]:
    """The steps at which what is reused is computed anew: 0, and each `period`-th from `phase` on."""
    return tuple(sorted({0, *range(phase % period, steps, period)}))


def anchors_of(steps: int, refreshed: tuple[int, ...]) -> tuple[int, ...]:
    """For each step the last of `refreshed` before it; 0 at the first."""
    return tuple(max((s for s in refreshed if s < step), default=0) for step in range(steps))


def trial_plan(refreshed: tuple[int, ...]) -> Plan:
    """The plan of a run that tries the three states."""
    return Plan(Steps(MODULES, refreshed), name="FEB-Cache, measuring", trials=STATES)


def relative_costs(passes: list[Trials]) -> tuple[float, float, float]:
    """Time of each of the three states, relative to a computed evaluation: the median over steps and passes."""
    seconds = torch.cat([found.seconds[1:] for found in passes])
    seconds = seconds[seconds.isfinite().all(1)]
    full = median(seconds[:, 3].tolist())
    return tuple(min(2.0, median(seconds[:, state].tolist()) / full) for state in range(3))

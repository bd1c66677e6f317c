"""Weights fitted in closed loop: a run with a plan is steered, step by step, to where the recorded one ends."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..modality import apart
from ..plan import Plan
from ..planning.steering import REACH, Kept, Normal, Steering
from ..predictor import Extrapolation, Fit
from ..schedule import Steps
from ..site import OUTPUT, Kind
from .bench import Watch
from .recording import Recording

UNFITTED = Extrapolation(2)
FURTHER = REACH + 1  # of the modalities behind the first: sound is small, its outputs change faster, and people hear it
Fits = tuple[tuple[Fit, ...], ...]  # of each modality


def fit(
    sample: Callable[[Plan, Watch], Tensor],
    recordings: Iterable[Recording],
    kinds: frozenset[Kind],
    steps: Sequence[int],
) -> tuple[Fits, Tensor]:
    """Weights fitted to the recordings, one after the other, for each modality, and the final latent `(1, C, ...)` of
    the last run. Values inside the model, where modalities meet, get one set of weights.

    `sample`: the next recording's sample, with a plan and watched. `steps`: the computed ones.
    """
    normals, final = defaultdict[int, Normal](Normal), None
    fits: Fits = ()
    for recording in recordings:
        each = recording.apart() if kinds == OUTPUT else (recording.balanced(),)
        orders = (REACH, *(FURTHER,) * (len(each) - 1))
        trackers = [Tracker(own, steps, normals[i], orders[i]) for i, own in enumerate(each)]
        tracker = trackers[0] if len(trackers) == 1 else Together(trackers, recording.sizes)
        final = sample(tracker.plan(kinds), tracker)
        fits = tuple(own.fits for own in trackers)
    assert final is not None, "there is at least one recording"
    return fits, final


class Tracker:
    """Watch and predictor of a run with computed `steps`, which it steers to where the recorded one ends (Steering).

    A prediction's weights are fitted before it is made, on the outputs kept so far; so they serve the output and
    values inside the model alike. A computed output is fitted once it is there.

    Guidance is linear and every conditioning gets the same weights, so the fit to the guided output is that of each.
    """

    reach = 0  # of its corrections as a predictor: the watch makes them

    def __init__(self, recording: Recording, steps: Iterable[int], normal: Normal | None = None, order: int = REACH):
        self.recording, self.steps, self.order = recording, frozenset(steps), order
        self._steering = Steering(
            recording.nodes,
            recording.response.final,
            recording.outputs.numpy(),
            normal or Normal(),
            recording.steering,
            order,
        )
        self._computed: list[tuple[int, Tensor]] = []  # outputs, newest first
        self._step: int | None = None
        self._fits: dict[int, Fit] = {}

    @property
    def fits(self) -> tuple[Fit, ...]:
        """All fits of the run."""
        return tuple(self._fits.values())

    def plan(self, kinds: frozenset[Kind]) -> Plan:
        """The plan of the run."""
        return Plan(Steps(kinds, tuple(sorted(self.steps))), self, name="fitting", merge=kinds != OUTPUT)

    def begin(self, sigma: float, state: Tensor) -> None:
        self._step = self.recording.step_of(sigma)

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Weights of the newest outputs, computed at the sigmas `nodes`, newest first, for a prediction at `at`."""
        step, count = self._step, min(self.order, len(self._computed))
        if step is None or not 2 <= count <= len(nodes):
            return UNFITTED.weights(nodes, at)
        if step not in self._fits:  # once for all sites and conditionings of the step
            self._fits[step] = self._steering.predicted(step, self._kept(self.order))
        return self._fits[step].weights

    def of(self, modality: int) -> "Tracker":
        """The predictor of a modality: this one."""
        return self

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """No weights: the watch corrects."""
        return ()

    def end(self, output: Tensor) -> Tensor:
        """The output that the sampling goes on with, shaped like `output`: float32 where it is corrected."""
        step = self._step
        if step is None:
            return output
        if step in self.steps:
            output = self._corrected(step, output)
        self._steering.note(step, self._elements(output))
        return output

    def _corrected(self, step: int, output: Tensor) -> Tensor:
        """A computed output, kept, and corrected for the gap before it."""
        earlier = [(other, value) for other, value in self._computed if other != step][: self.order]
        self._computed = [(step, output.float()), *earlier]
        if not earlier:
            return output
        self._fits[step] = fitted = self._steering.corrected(step, self._kept(1 + self.order))
        combined = fitted.weights[0] * self._computed[0][1]
        for weight, (_, value) in zip(fitted.weights[1:], earlier, strict=True):
            combined = combined + weight * value
        return combined

    def _kept(self, most: int) -> list[Kept]:
        return [(step, self._elements(value)) for step, value in self._computed[:most]]

    def _elements(self, value: Tensor) -> np.ndarray:
        return self.recording.sampled_elements(value).to(torch.float64).numpy()


class Together:
    """Trackers of the modalities of a latent, as one watch and one predictor: each is steered to its own end."""

    reach = 0

    def __init__(self, trackers: Sequence[Tracker], sizes: Sequence[int]):
        self.trackers, self.sizes = tuple(trackers), tuple(sizes)
        self.order = max(tracker.order for tracker in trackers)

    def plan(self, kinds: frozenset[Kind]) -> Plan:
        """The plan of the run."""
        return replace(self.trackers[0].plan(kinds), predictor=self)

    def of(self, modality: int) -> Tracker:
        """The tracker of a modality, which is its predictor."""
        return self.trackers[modality]

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Weights for the first modality."""
        return self.trackers[0].weights(nodes, at)

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """No weights: the watch corrects."""
        return ()

    def begin(self, sigma: float, state: Tensor) -> None:
        for tracker, part in zip(self.trackers, apart(state, self.sizes), strict=True):
            tracker.begin(sigma, part)

    def end(self, output: Tensor) -> Tensor:
        """The output that the sampling goes on with."""
        parts = apart(output, self.sizes)
        ended = [tracker.end(part) for tracker, part in zip(self.trackers, parts, strict=True)]
        unchanged = all(own is part for own, part in zip(ended, parts, strict=True))
        return output if unchanged else torch.cat([own.float() for own in ended], dim=-1)

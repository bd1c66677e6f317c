"""Weights fitted in closed loop: a run with a plan is steered, step by step, to where the recorded one ends."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..plan import Plan
from ..planning.steering import BETWEEN, REACH, Kept, Normal, Steering
from ..predictor import Extrapolation, Fit
from ..schedule import Steps
from ..site import OUTPUT, Kind
from .bench import Watch
from .recording import Recording

UNFITTED = Extrapolation(2)


def fit(
    sample: Callable[[Plan, Watch], Tensor],
    recordings: Iterable[Recording],
    kinds: frozenset[Kind],
    steps: Sequence[int],
) -> tuple[tuple[Fit, ...], Tensor]:
    """Weights fitted to the recordings, one after the other, and the final latent `(1, C, ...)` of the last run.

    `sample`: the next recording's sample, with a plan and watched. `steps`: the computed ones.
    """
    normal, final = Normal(), None
    fits: tuple[Fit, ...] = ()
    for recording in recordings:
        tracker = Tracker(recording, steps, normal)
        final = sample(tracker.plan(kinds), tracker)
        fits = tracker.fits
    assert final is not None, "there is at least one recording"
    return fits, final


class Tracker:
    """Watch and predictor of a run with computed `steps`, which it steers to where the recorded one ends (Steering).

    A prediction's weights are fitted before it is made, on the outputs kept so far; so they serve the output and
    values inside the model alike. A computed output is fitted once it is there.

    Guidance is linear and every conditioning gets the same weights, so the fit to the guided output is that of each.
    """

    order, reach = BETWEEN, 0  # as a predictor; its corrections are made by the watch

    def __init__(self, recording: Recording, steps: Iterable[int], normal: Normal | None = None):
        self.recording, self.steps = recording, frozenset(steps)
        self._steering = Steering(
            recording.nodes,
            recording.response.final,
            recording.outputs.numpy(),
            normal or Normal(),
            recording.steering,
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
        step, count = self._step, min(BETWEEN, len(self._computed))
        if step is None or not 2 <= count <= len(nodes):
            return UNFITTED.weights(nodes, at)
        if step not in self._fits:  # once for all sites and conditionings of the step
            self._fits[step] = self._steering.predicted(step, self._kept())
        return self._fits[step].weights

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
        earlier = [(other, value) for other, value in self._computed if other != step][:REACH]
        self._computed = [(step, output.float()), *earlier]
        if not earlier:
            return output
        self._fits[step] = fitted = self._steering.corrected(step, self._kept(1 + REACH))
        combined = fitted.weights[0] * self._computed[0][1]
        for weight, (_, value) in zip(fitted.weights[1:], earlier, strict=True):
            combined = combined + weight * value
        return combined

    def _kept(self, most: int = BETWEEN) -> list[Kept]:
        return [(step, self._elements(value)) for step, value in self._computed[:most]]

    def _elements(self, value: Tensor) -> np.ndarray:
        return self.recording.sampled_elements(value).to(torch.float64).numpy()

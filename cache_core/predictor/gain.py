"""Plain reuse times a gain that depends on the step, for each of two bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from ..timeline import SAME_STEP
from .extrapolation import REUSE, Extrapolation


@dataclass(frozen=True)
class Gain:
    """The newest output times a gain. `sigmas`, `gains` `(N,)`: of the steps. `compounding`: the gains of all steps
    since that output was computed, multiplied, in place of the step's own."""

    sigmas: tuple[float, ...]
    gains: tuple[float, ...]
    compounding: bool = False
    order: ClassVar[int] = 1
    reach: ClassVar[int] = 0

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """The gain at sigma `at` of the output computed at `nodes[0]`."""
        step = self._step(at)
        return (prod(self.gains[self._step(nodes[0]) + 1 : step + 1]) if self.compounding else self.gains[step],)

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """No weights: computed outputs stay as they are."""
        return ()

    def of(self, modality: int) -> Gain:
        """The same for all parts."""
        return self

    def _step(self, sigma: float) -> int:
        """The last step that starts at or above `sigma`, as Timeline.step_of."""
        return max(0, sum(own >= sigma * (1 - SAME_STEP) for own in self.sigmas) - 1)


@dataclass(frozen=True)
class Bands:
    """A predictor for each band of the guidance: `low`, and the `rest`. A value without bands is reused."""

    low: Gain
    rest: Gain
    order: ClassVar[int] = 1
    reach: ClassVar[int] = 0

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Plain reuse of a value without bands."""
        return REUSE.weights(nodes, at)

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """No weights: computed outputs stay as they are."""
        return ()

    def of(self, modality: int) -> Gain | Extrapolation:
        """The predictor of a part by its place: 0 the low band, 1 the rest, 2 a value without bands."""
        return (self.low, self.rest, REUSE)[modality]

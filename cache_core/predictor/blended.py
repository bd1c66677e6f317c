"""Predictor whose weights follow from a measurement taken during the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Blended:
    """The newest output, moved on by the last change: `v_2 + g (v_1 - v_2)`, v_1 the newest, g the gain that the run
    measures, 1 where there is none. DiCache; METHODS_RELATED.md section 12."""

    order: ClassVar[int] = 2
    reach: ClassVar[int] = 0

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """The newest output as it is."""
        return (1.0,)

    def blended(self, gain: float) -> tuple[float, float]:
        """Weights of the two newest outputs for a gain."""
        return (gain, 1 - gain)

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """No correction."""
        return ()

    def of(self, modality: int) -> "Blended":
        """The same for each modality."""
        return self

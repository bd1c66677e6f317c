"""What fills the gap: a linear combination of past computed outputs."""

from collections.abc import Sequence
from typing import Protocol

from .extrapolation import GAIN_LIMIT, REUSE, Coefficients, Predictor
from .fitted import Fit, Fitted, same
from .weights import binomial, damp, lagrange


class Prediction(Protocol):
    """What a run asks. `order`: samples that are kept of a site. `corrects`: whether computed outputs are ever corrected."""

    @property
    def order(self) -> int: ...

    @property
    def corrects(self) -> bool: ...

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Coefficients of the newest samples, whose clock values are `nodes`, newest first, for a prediction at `at`."""
        ...

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """Coefficients that replace a sample just computed at `nodes[0]` by a corrected one; none where it stays as it is."""
        ...


__all__ = ["GAIN_LIMIT", "REUSE", "Coefficients", "Fit", "Fitted", "Prediction", "Predictor", "binomial", "damp", "lagrange", "same"]

"""What fills the gap: a linear combination of past computed outputs."""

from collections.abc import Sequence
from typing import Protocol

from .extrapolation import GAIN_LIMIT, REUSE, Coefficients, Extrapolation
from .fitted import Fit, Fitted, same
from .weights import binomial, damp, lagrange


class Predictor(Protocol):
    """What a run asks. `order`: samples of a site that predictions are made from. `reach`: outputs of the model that
    a computed one is corrected by, itself among them; 0 where none ever is."""

    @property
    def order(self) -> int: ...

    @property
    def reach(self) -> int: ...

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Coefficients of the newest samples, whose clock values are `nodes`, newest first, for a prediction at `at`."""
        ...

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """Coefficients that replace a sample just computed at `nodes[0]` by a corrected one; none where it stays as it is."""
        ...


__all__ = [
    "GAIN_LIMIT",
    "REUSE",
    "Coefficients",
    "Fit",
    "Fitted",
    "Predictor",
    "Extrapolation",
    "binomial",
    "damp",
    "lagrange",
    "same",
]

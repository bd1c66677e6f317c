"""Value of a site that is not computed: a linear combination of past computed outputs."""

from collections.abc import Sequence
from typing import Protocol

from .blended import Blended
from .chebyshev import Chebyshev
from .compensation import Compensation
from .dynamic_reuse import DynamicReuse
from .extrapolation import GAIN_LIMIT, REUSE, Coefficients, Extrapolation
from .fitted import Fit, Fitted
from .gain import Bands, Gain
from .weights import binomial, damp, lagrange


class Predictor(Protocol):
    """Weights of kept outputs: `sum_j w_j v_j` over the newest ones. Extrapolation, Fitted and Blended are such.

    `order`: how many newest outputs of a site a prediction combines. `reach`: how many newest outputs of the model a
    correction combines, the current one included; 0 = no corrections.
    """

    @property
    def order(self) -> int:
        """Number of past outputs in a prediction."""
        ...

    @property
    def reach(self) -> int:
        """Number of newest outputs in a correction, the current one included; 0 = no corrections."""
        ...

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Weights of the newest outputs, computed at the sigmas `nodes`, newest first, for a prediction at `at`."""
        ...

    def of(self, modality: int) -> "Predictor":
        """The predictor of one modality of the latent, by its place; this one where there is but one."""
        ...

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """Weights that correct the output just computed at `nodes[0]`; none where it stays as it is."""
        ...

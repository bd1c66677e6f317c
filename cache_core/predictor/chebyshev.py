"""Spectrum's predictor (CVPR 2026): a ridge regression on Chebyshev polynomials of the step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from ..errors import check_range
from .place import place_of


@dataclass(frozen=True)
class Chebyshev:
    """Chebyshev series up to `degree` (M) in `tau = 2 i / N - 1`, i the step, through the newest `order` outputs.

    The fit has the penalty `ridge` (lambda) on the squared coefficients. `sigmas` `(N + 1,)`: of the run. `shrinks`:
    T_0 is penalised as well, as released, so that a constant comes back a little smaller; False spares it. Weights are
    `phi(at)' (X'X + lambda I)^-1 X'`, and those of Lagrange for lambda = 0 and M + 1 outputs.
    """

    sigmas: tuple[float, ...]
    degree: int = 4
    order: int = 10
    ridge: float = 0.1
    shrinks: bool = True

    def __post_init__(self) -> None:
        check_range("degree", self.degree, 0, 10)
        check_range("order", self.order, 1, 20)
        check_range("ridge", self.ridge, 0.0, 1e6)

    @property
    def reach(self) -> int:
        """0: no corrections."""
        return 0

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Weights of the newest outputs, computed at the sigmas `nodes`, newest first, for a prediction at `at`."""
        used = nodes[: self.order]
        basis = self._basis(used)
        penalty = np.full(self.degree + 1, self.ridge**0.5)
        penalty[0] *= self.shrinks
        # of the stacked system, whose normal equations are those above, and which stands lambda = 0
        inverse = np.linalg.pinv(np.vstack([basis, np.diag(penalty)]))
        return tuple((self._basis([at]) @ inverse)[0, : len(used)].tolist())

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """No weights: computed outputs stay as they are."""
        return ()

    def of(self, modality: int) -> "Chebyshev":
        """The predictor of a modality: the same for all."""
        return self

    def _basis(self, nodes: Sequence[float]) -> np.ndarray:
        """T_0 to T_M at each of `nodes`: `(len(nodes), M + 1)`."""
        steps = len(self.sigmas) - 1
        return chebyshev.chebvander([2 * place_of(self.sigmas, node) / steps - 1 for node in nodes], self.degree)

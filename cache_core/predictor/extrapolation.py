"""Weights that follow from the sigmas at which the past outputs were computed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import check_choice, check_range
from .weights import binomial, damp, lagrange

Coefficients = Literal["node-aware", "paper"]
# In the nodes: order 2 predicts up to 1.25 times the distance of its two outputs ahead; beyond that, reuse is better.
GAIN_LIMIT = 3.5


@dataclass(frozen=True)
class Extrapolation:
    """Polynomial through the `order` newest outputs; its error falls as the step to that power. Order 1 is plain reuse.

    `coefficients`: "node-aware" takes Lagrange weights on the real sigmas, "paper" the binomials of AB-Cache.
    `damping`: share of plain reuse mixed in, 0 to 1; more is safer and less exact. `gain_limit`: the order falls
    while sum_j |w_j|, by which noise in the outputs is amplified, is above this; higher lets predictions reach
    further.
    """

    order: int = 1
    coefficients: Coefficients = "node-aware"
    damping: float = 0.0
    gain_limit: float = float("inf")

    def __post_init__(self) -> None:
        check_range("order", self.order, 1, 4)
        check_choice("coefficients", self.coefficients, ("node-aware", "paper"))
        check_range("damping", self.damping, 0.0, 1.0)

    @property
    def reach(self) -> int:
        """0: no corrections."""
        return 0

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Weights of the newest outputs, computed at the sigmas `nodes`, newest first, for a prediction at `at`.

        They sum to 1. As long as there are fewer outputs than the order, the order is the number of outputs. Raises
        ValueError if there are none.
        """
        for order in range(min(self.order, len(nodes)), 0, -1):
            weights = self._of_order(order, nodes, at)
            if order == 1 or sum(map(abs, weights)) <= self.gain_limit:
                return weights
        raise ValueError("There is no sample to predict from.")

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """No weights: computed outputs stay as they are."""
        return ()

    def of(self, modality: int) -> "Extrapolation":
        """The predictor of a modality: the same for all."""
        return self

    def pair(self) -> tuple["Extrapolation", "Extrapolation"]:
        """Embedded pair: this predictor, of order 2 at least, and the one of an order less.

        Neither has a gain limit: if both were cut to reuse, their disagreement would always be 0.
        """
        high = replace(self, order=max(2, self.order), gain_limit=float("inf"))
        return high, replace(high, order=high.order - 1)

    def _of_order(self, order: int, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        raw = binomial(order) if self.coefficients == "paper" else lagrange(nodes[:order], at)
        return damp(raw, self.damping)


REUSE = Extrapolation()

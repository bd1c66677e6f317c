"""Weights that follow from where the past outputs were computed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from ..errors import check_choice, check_range
from .weights import binomial, damp, lagrange

Coefficients = Literal["node-aware", "paper"]
# what the nodes use: order 2 reaches as far ahead as 1.25 times the distance of its samples, then reuse is better
GAIN_LIMIT = 3.5


@dataclass(frozen=True)
class Extrapolation:
    """Extrapolation of order `order`: samples used, and the error slope the tests measure. Order 1 is plain reuse.

    `coefficients`: "node-aware" takes Lagrange weights on the real nodes, "paper" the binomials of AB-Cache.
    `damping`: share of plain reuse mixed in, 0 to 1. `gain_limit`: the order falls while the sum of |weights|, which
    is how much noise in the samples is amplified, is above this.
    """

    order: int = 1
    coefficients: Coefficients = "node-aware"
    damping: float = 0.0
    gain_limit: float = float("inf")
    reach: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_range("order", self.order, 1, 4)
        check_choice("coefficients", self.coefficients, ("node-aware", "paper"))
        check_range("damping", self.damping, 0.0, 1.0)

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Coefficients of the newest samples, whose clock values are `nodes`, newest first, for a prediction at `at`.

        As long as there are fewer samples than the order, the order is the number of samples. Weights sum to 1.
        """
        for order in range(min(self.order, len(nodes)), 0, -1):
            weights = self._of_order(order, nodes, at)
            if order == 1 or sum(map(abs, weights)) <= self.gain_limit:
                return weights
        raise ValueError("There is no sample to predict from.")

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """None: what is computed is taken as it is."""
        return ()

    def _of_order(self, order: int, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        raw = binomial(order) if self.coefficients == "paper" else lagrange(nodes[:order], at)
        return damp(raw, self.damping)

    def pair(self) -> tuple["Extrapolation", "Extrapolation"]:
        """The embedded pair: this predictor, of order 2 at least, and the one an order lower. Neither has a gain
        limit: where both were cut to reuse they would agree on nothing but that."""
        high = replace(self, order=max(2, self.order), gain_limit=float("inf"))
        return high, replace(high, order=high.order - 1)


REUSE = Extrapolation()

"""Schedule that decides during the run, by the disagreement of an embedded pair."""

from dataclasses import dataclass
from typing import ClassVar

from ..errors import check_range
from ..site import Kind
from ..timeline import Timeline
from .indicator import Disagreement, Indicator
from .interval import Frame
from .online import forced
from .table import Table


@dataclass(frozen=True)
class Adaptive:
    """Predictions until their disagreement, summed since the last computed evaluation, passes `tolerance`.

    `d = ||y_k - y_(k-1)|| / ||y_k||`, y_k the prediction of order k, over all conditionings at once; one decision per
    evaluation. The sum is a far better rule than a single d (METHODS.md section 5). A higher `tolerance` computes
    less. `most`: predictions in a row, at most.
    """

    kinds: frozenset[Kind]
    tolerance: float
    most: int
    frame: Frame = Frame()
    indicator: ClassVar[Indicator] = Disagreement()

    def __post_init__(self) -> None:
        check_range("tolerance", self.tolerance, 1e-6, 1.0)
        check_range("interval", self.most, 1, 100)

    def table(self, timeline: Timeline) -> Table:
        """Table of the steps that are computed in any case; at the others `computes` decides."""
        return forced(self.kinds, self.frame, timeline)

    def after(self, total: float, reading: float, step: int, last: int) -> float:
        """The sum of the disagreements once one is added to `total`."""
        return total + reading

    def computes(self, disagreement: float, predicted: int) -> bool:
        """True if the model is computed. `disagreement`: summed up to here. `predicted`: predictions made in a row."""
        return predicted >= self.most or not disagreement <= self.tolerance  # so that NaN computes

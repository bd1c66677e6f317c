"""Compute when the two members of an embedded pair disagree too much."""

from dataclasses import dataclass

from ..errors import check_range
from ..site import Kind
from ..timeline import Timeline
from .interval import Frame
from .table import Table, from_steps


@dataclass(frozen=True)
class Adaptive:
    """Predict until the disagreement of the order-k and order-(k-1) predictions, summed since the last computed
    evaluation, would pass `tolerance`, and never more than `most` times in a row.

    The disagreement is relative: ||order k - order k-1|| / ||order k||, over all conditionings at once. Summing it
    is a far better rule than looking at one step (METHODS.md section 5). One decision per evaluation.
    """

    kinds: frozenset[Kind]
    tolerance: float
    most: int
    frame: Frame = Frame()

    def __post_init__(self) -> None:
        check_range("tolerance", self.tolerance, 1e-6, 1.0)
        check_range("interval", self.most, 1, 100)

    def table(self, timeline: Timeline) -> Table:
        """The steps that are computed in any case; at the others `computes` decides."""
        forced = (s for s in range(timeline.steps) if self.frame.forces(s, timeline))
        return from_steps(self.kinds, forced, timeline.steps)

    def computes(self, disagreement: float, predicted: int) -> bool:
        """Whether to compute, given the disagreement summed up to here and the predictions made in a row."""
        return predicted >= self.most or not disagreement <= self.tolerance  # so that NaN computes

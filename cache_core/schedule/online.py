"""Schedules that decide during the run, by what they read of it; one verdict for each evaluation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import check_range
from ..site import Kind
from ..timeline import Timeline
from .indicator import Indicator
from .interval import Frame
from .table import Table, from_steps


def reading_itself(reading: float, step: int, last: int) -> float:
    """The reading as it is."""
    return reading


@dataclass(frozen=True)
class Online:
    """Predictions until the readings of an indicator, summed since the last computed evaluation, reach `threshold`.

    `curve`: what a reading counts, by the reading, its step, and the step that was computed last. `summed`: False where
    only the newest reading counts. `most`: predictions in a row, at most. A higher threshold computes less.
    """

    kinds: frozenset[Kind]
    indicator: Indicator
    threshold: float
    curve: Callable[[float, int, int], float] = reading_itself
    summed: bool = True
    most: int = 1000
    frame: Frame = Frame(1, 1)

    def __post_init__(self) -> None:
        check_range("threshold", self.threshold, 0.0, float("inf"))
        check_range("most", self.most, 0, 1000)

    def table(self, timeline: Timeline) -> Table:
        """Table of the steps that are computed in any case; at the others `computes` decides."""
        return forced(self.kinds, self.frame, timeline)

    def after(self, total: float, reading: float, step: int, last: int) -> float:
        """The sum once a reading is added to `total`."""
        return self.curve(reading, step, last) + (total if self.summed else 0.0)

    def computes(self, total: float, predicted: int) -> bool:
        """True if the evaluation is computed. `predicted`: predictions made in a row."""
        return predicted >= self.most or not total < self.threshold  # so that NaN computes

    def replayed(self, readings: Sequence[float], timeline: Timeline) -> Table:
        """Table of the decisions for readings `(N,)` that are known before the run. Steps beyond them are computed."""
        edge, computed = self.table(timeline).rows, []
        total, row, last = 0.0, 0, 0
        for step in range(timeline.steps):
            total = self.after(total, readings[step] if step < len(readings) else float("inf"), step, last)
            if edge[step] or self.computes(total, row):
                computed.append(step)
                total, row, last = 0.0, 0, step
            else:
                row += 1
        return from_steps(self.kinds, computed, timeline.steps)


def forced(kinds: frozenset[Kind], frame: Frame, timeline: Timeline) -> Table:
    """Table of the steps that `frame` forces."""
    return from_steps(kinds, (s for s in range(timeline.steps) if frame.forces(s, timeline)), timeline.steps)

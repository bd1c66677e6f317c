"""Reports of finished runs, left for Cache Report, and the protocol of displays that show a run while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ...cache_core import Run, RunReport
from ...cache_core.show.chart import Drawing

if TYPE_CHECKING:
    from .session import Session


class Display(Protocol):
    """A place that shows the runs of an Apply node, such as its timeline on the page."""

    def began(self, run: Run) -> None:
        """A run begins."""
        ...

    def advanced(self, run: Run) -> None:
        """An evaluation is done."""
        ...

    def ended(self, session: Session, report: RunReport) -> None:
        """The run has ended."""
        ...


class Mailbox:
    """Reports of the last few runs, newest last, and drawings of the newest: numbers and words, never tensors.
    `display`: the Apply node's own, if it has one."""

    KEPT = 8

    def __init__(self, display: Display | None = None) -> None:
        self.reports: list[RunReport] = []
        self.drawn: tuple[Drawing, ...] = ()
        self.display = display

    def deliver(self, report: RunReport, drawn: tuple[Drawing, ...]) -> None:
        """Keep the report of a run, and its drawings."""
        self.reports.append(report)
        self.drawn = drawn
        del self.reports[: -self.KEPT]

    @property
    def latest(self) -> RunReport | None:
        """The report of the last run; None before the first."""
        return self.reports[-1] if self.reports else None

"""Where finished runs leave their reports, for Cache Report to read, and who is told while one goes on."""

from ...cache_core import RunReport
from ...cache_core.show.chart import Drawing
from ..page.last_runs import Progress


class Mailbox:
    """The reports of the last few runs, newest last, and what to draw of the newest. Numbers and words only, never
    tensors. `progress`: the page's timeline of the Apply node, if it has one."""

    KEPT = 8

    def __init__(self, progress: Progress | None = None) -> None:
        self.reports: list[RunReport] = []
        self.drawn: tuple[Drawing, ...] = ()
        self.progress = progress

    def deliver(self, report: RunReport, drawn: tuple[Drawing, ...]) -> None:
        self.reports.append(report)
        self.drawn = drawn
        del self.reports[: -self.KEPT]

    @property
    def latest(self) -> RunReport | None:
        return self.reports[-1] if self.reports else None

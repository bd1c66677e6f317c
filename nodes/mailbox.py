"""Where finished runs leave their reports, for Cache Report to read, and who is told while one goes on."""

from ..cache_core import RunReport
from .progress import Progress


class Mailbox:
    """The reports of the last few runs, newest last. Numbers and words only, never tensors. `progress`: the page's timeline of the Apply
    node, if it has one."""

    KEPT = 8

    def __init__(self, progress: Progress | None = None) -> None:
        self.reports: list[RunReport] = []
        self.progress = progress

    def deliver(self, report: RunReport) -> None:
        self.reports.append(report)
        del self.reports[: -self.KEPT]

    @property
    def latest(self) -> RunReport | None:
        return self.reports[-1] if self.reports else None

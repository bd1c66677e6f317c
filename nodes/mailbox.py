"""Where finished runs leave their reports, for Cache Report to read."""

from ..cache_core import RunReport


class Mailbox:
    """The reports of the last few runs, newest last. Numbers and words only, never tensors."""

    KEPT = 8

    def __init__(self) -> None:
        self.reports: list[RunReport] = []

    def deliver(self, report: RunReport) -> None:
        self.reports.append(report)
        del self.reports[: -self.KEPT]

    @property
    def latest(self) -> RunReport | None:
        return self.reports[-1] if self.reports else None

"""Reports of finished runs, left for Cache Report, and the protocol of displays that show a run while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
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

    def learning(self, run: Run, done: int, steps: int) -> None:
        """So many of the steps of the samplings are done that follow `run` to learn from it."""
        ...

    def ended(self, session: Session, report: RunReport) -> None:
        """The run has ended."""
        ...


@dataclass(frozen=True)
class Letter:
    """A report with its drawings: numbers and words, never tensors. `part`: 1 for a run of the second of two models.
    `sigmas`: at which its sampling began and ended."""

    report: RunReport
    drawn: tuple[Drawing, ...]
    sigmas: tuple[float, float]
    part: int

    def left_noise_to(self, other: Letter) -> bool:
        """True if `other` can be the sampling that went on where this one ended."""
        return self.sigmas[1] > 0 and self.sigmas[0] > other.sigmas[0]


class Mailbox:
    """Letters of the last few runs, newest last. `display`: the Apply node's own, if it has one. `first`: for the
    second of a node's two models the mailbox of the first one; the two have the same letters. `off`: of a node that is
    switched off, in words; then there are no letters."""

    KEPT = 8

    def __init__(self, display: Display | None = None, first: Mailbox | None = None, off: str = "") -> None:
        self.letters: list[Letter] = [] if first is None else first.letters
        self.part = 0 if first is None else 1
        self.display, self.off = display, off

    def deliver(self, report: RunReport, drawn: tuple[Drawing, ...], sigmas: tuple[float, float]) -> None:
        """Keep the report of a run, and its drawings."""
        self.letters.append(Letter(report, drawn, sigmas, self.part))
        del self.letters[: -self.KEPT]

    @property
    def reports(self) -> list[RunReport]:
        """The reports that are kept, newest last."""
        return [letter.report for letter in self.letters]

    @property
    def latest(self) -> RunReport | None:
        """The report of the last run; None before the first."""
        return self.letters[-1].report if self.letters else None

    @property
    def newest(self) -> list[Letter]:
        """The letter of the last run, after that of the other model's last run, if it took over from that one."""
        last = self.letters[-1:]
        others = [letter for letter in self.letters if last and letter.part != last[0].part]
        return [letter for letter in others[-1:] if letter.left_noise_to(last[0])] + last

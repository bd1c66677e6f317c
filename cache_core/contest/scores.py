"""Scores of a contest: their order, the winner, and the table as text."""

from collections.abc import Sequence
from math import isfinite

from ..show.similarity import to_the_eye
from ..store import megabytes
from .entrants import Score

ROOM = 1.05  # times the target's work that still counts as equal
HEAD = ("", "evaluations", "seconds", "PSNR", "SSIM", "drift", "cache")


def ranked(scores: Sequence[Score], target: float) -> list[Score]:
    """Scores by PSNR, the closest first; those that compute more than `target` evaluations allow behind the others."""
    return sorted(scores, key=lambda score: (score.work > ROOM * target, -score.psnr))


def winner(scores: Sequence[Score], target: float) -> Score | None:
    """The closest entrant that keeps within the target's work; None where none does."""
    first = next(iter(ranked(scores, target)), None)
    return first if first is not None and first.work <= ROOM * target and isfinite(first.psnr) else None


def row(score: Score) -> tuple[str, ...]:
    """Cells of the table for a score."""
    return (
        score.entrant.name,
        f"{score.work:.1f}",
        f"{score.seconds:.1f}",
        f"{score.psnr:.1f} dB",
        f"{score.ssim:.4f}",
        f"{score.drift:.4f}",
        megabytes(score.peak_bytes) if score.peak_bytes else "-",
    )


def table_text(scores: Sequence[Score], target: float, uncached: tuple[float, float]) -> str:
    """The table, one line for each entrant, and in words who won. `uncached`: evaluations and seconds of a picture."""
    rows: list[tuple[str, ...]] = [HEAD, ("uncached", f"{uncached[0]:.1f}", f"{uncached[1]:.1f}", "", "", "", "-")]
    rows += [row(score) for score in ranked(scores, target)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]
    return "\n".join([_said(winner(scores, target), target), "", *lines])


def _said(best: Score | None, target: float) -> str:
    if best is None:
        return f"Nothing stays within {target:.1f} evaluations."
    return (
        f"{best.entrant.name} comes closest at {target:.1f} evaluations: {best.psnr:.1f} dB, {to_the_eye(best.psnr)}."
    )

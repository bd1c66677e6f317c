"""Report of a finished run, in numbers and in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, median
from textwrap import fill
from typing import Any

from ..run.evaluation import Evaluation
from ..run.run import Run
from ..site import Kind, in_order
from ..store import megabytes
from .states import COMPUTE, MARKS, ONE_BRANCH, PREDICT_MODEL, state_of

WIDE = 72  # characters in a line of a sentence


@dataclass(frozen=True)
class Row:
    """One evaluation. `state`: one of `states.STATES`. `seconds`: from its start to the start of the next one."""

    step: int
    sigma: float
    state: str
    seconds: float


@dataclass(frozen=True)
class RunReport:
    """Numbers of a finished run.

    `shares`: computed calls of a kind / its calls in an uncached run, 0 to 1. `seconds`: of the whole sampling.
    `seconds_saved`: measured, `sum (m - s)` over the evaluations that predicted anything, s their seconds and m the
    median of the fully computed ones; None if there are none of these. `peak_bytes`, `peak_host_bytes`: largest sum
    of kept tensors on any one device, and in host memory. `store`: their form in words; empty if no outputs of
    attention and MLP were kept. `moves`: times that a conditioning went on on another device, with its kept outputs.
    """

    name: str
    model: str
    steps: int
    rows: tuple[Row, ...]
    shares: dict[str, float]
    seconds: float
    seconds_saved: float | None
    peak_bytes: int
    peak_host_bytes: int
    store: str
    restarts: int
    demotions: tuple[str, ...]
    notes: tuple[str, ...]
    finished: bool
    moves: int = 0

    @property
    def evaluations(self) -> int:
        """Number of evaluations."""
        return len(self.rows)

    @property
    def computed(self) -> int:
        """Evaluations in which the model ran."""
        return sum(row.state != PREDICT_MODEL for row in self.rows)

    def line(self) -> str:
        """One line for the log."""
        shares = ", ".join(f"{kind} {share:.0%}" for kind, share in self.shares.items())
        saved = "" if self.seconds_saved is None else f", saved {self.seconds_saved:.1f} s"
        ended = "" if self.finished else " (stopped)"
        events = "".join(f"; {event}" for event in (*self.demotions, *self._interruptions()))
        return (
            f"{self.name} on {self.model}{ended}: model ran in {self.computed} of {self.evaluations} evaluations, "
            f"computed {shares}; {self.seconds:.1f} s{saved}, peak cache {self._peak()}{events}"
        )

    def text(self) -> str:
        """Several lines for a person: sentences, no wider than a node, then one mark and one row per evaluation."""
        lines = [
            f"{self.name} on {self.model}" + ("" if self.finished else ", stopped before the end"),
            f"{self.steps} steps, {self.evaluations} evaluations; the model ran in {self.computed}",
            *(f"{kind}: {share:.0%} of calls computed" for kind, share in self.shares.items()),
            f"time: {self.seconds:.2f} s; {self._saved()}",
            *(fill(sentence, WIDE, subsequent_indent="    ") for sentence in self._sentences()),
            "",
            "# all computed     a only attention computed",
            ". all predicted    m only mlp computed",
            *(["1 one branch computed"] if any(row.state == ONE_BRANCH for row in self.rows) else ()),
            "".join(MARKS[row.state] for row in self.rows),
            "",
            "step  sigma   state            seconds",
        ]
        lines += [f"{r.step:4d}  {r.sigma:6.4f}  {r.state:15s}  {r.seconds:7.4f}" for r in self.rows]
        return "\n".join(lines)

    def _sentences(self) -> list[str]:
        return [
            f"peak cache: {self._peak()}",
            *(f"less than planned: {d}" for d in self.demotions),
            *self._interruptions(),
            *(f"note: {n}" for n in self.notes),
        ]

    def _peak(self) -> str:
        host = f" and {megabytes(self.peak_host_bytes)} in host memory" if self.peak_host_bytes else ""
        return megabytes(self.peak_bytes) + host + (f" ({self.store})" if self.store else "")

    def _interruptions(self) -> list[str]:
        restarted = f"kept outputs were dropped {self.restarts} times, because shapes changed"
        moved = f"conditionings moved between devices {self.moves} times, with their kept outputs"
        return [sentence for sentence, count in ((restarted, self.restarts), (moved, self.moves)) if count]

    def _saved(self) -> str:
        if self.seconds_saved is None:
            return "nothing to compare with, as nothing was fully computed"
        return f"saved {self.seconds_saved:.2f} s, {self.rate:.2f}x, as measured"

    @property
    def rate(self) -> float | None:
        """Speed-up over the uncached run, as measured; None if no evaluation was fully computed."""
        return None if self.seconds_saved is None else measured_rate(self.seconds, self.seconds_saved)

    def headline(self) -> str:
        """The seconds, and what was saved, in one line."""
        ended = "" if self.finished else f"stopped after {self.evaluations} evaluations; "
        return f"{ended}{self.seconds:.1f} s; {self._saved()}"

    def summary(self) -> dict[str, Any]:
        """Numbers and sentences for the page, which puts the numbers into words; JSON."""
        return {
            "finished": self.finished,
            "evaluations": self.evaluations,
            "computed": self.computed,
            "seconds": self.seconds,
            "saved": self.seconds_saved,
            "shares": self.shares,
            "bytes": self.peak_bytes,
            "host": self.peak_host_bytes,
            "less": [*self.demotions],
            "notes": [*self._interruptions(), *self.notes],
        }

    def table(self) -> dict[str, Any]:
        """The summary, with a row for each evaluation, for a page that writes the report in another language; JSON."""
        rows = [[row.step, row.sigma, row.state, row.seconds] for row in self.rows]
        return {**self.summary(), "name": self.name, "model": self.model, "steps": self.steps, "rows": rows}


def measured_rate(seconds: float, saved: float) -> float:
    """Speed-up of a sampling that took `seconds` and saved `saved` of them: `(seconds + saved) / seconds`."""
    return (seconds + saved) / seconds if seconds else 1.0


def rows_of(evaluations: Iterable[Evaluation]) -> tuple[Row, ...]:
    """One row for each evaluation."""
    return tuple(Row(e.step, e.sigma, state_of(e), e.seconds) for e in evaluations)


def saved(rows: tuple[Row, ...]) -> float | None:
    """Seconds saved, as in RunReport.seconds_saved."""
    full = [row.seconds for row in rows if row.state == COMPUTE]
    if not full:
        return None
    price = median(full[1:] or full)  # the first one also checks the mounts and warms the device up
    return sum(price - row.seconds for row in rows if row.state != COMPUTE)


def _computed_share(evaluation: Evaluation, kind: Kind, sites: int) -> float:
    """Computed calls of `kind` / its calls in an uncached evaluation. `sites`: of the kind, in one call."""
    ran = _share(evaluation, Kind.MODEL)
    if kind is Kind.GUIDANCE:
        return ran * _share(evaluation, kind)
    if kind is Kind.MODEL or not evaluation.block_calls:
        return ran
    return ran * (1 - evaluation.predicted_calls[kind] / (sites * evaluation.block_calls))


def _share(evaluation: Evaluation, kind: Kind) -> float:
    computed, predicted = evaluation.computed_calls[kind], evaluation.predicted_calls[kind]
    return computed / (computed + predicted) if predicted else 1.0


def _shares(run: Run) -> dict[str, float]:
    if not run.evaluations:
        return {}
    return {
        kind.value: mean(_computed_share(e, kind, run.sites[kind]) for e in run.evaluations)
        for kind in in_order(run.table.kinds)
    }


def report(run: Run, model: str, finished: bool) -> RunReport:
    """Report of a closed run on a model named `model`. `finished`: the sampling reached its end."""
    rows = rows_of(run.evaluations)
    return RunReport(
        name=" + ".join(plan.name for plan in run.plans),
        model=model,
        steps=run.timeline.steps,
        rows=rows,
        shares=_shares(run),
        seconds=sum(row.seconds for row in rows),
        seconds_saved=saved(rows),
        peak_bytes=run.store.peak_bytes,
        peak_host_bytes=run.store.peak_host_bytes,
        store=str(run.store.rung) if run.store.used else "",
        restarts=run.restarts,
        demotions=tuple(run.demotions),
        notes=tuple(run.notes),
        finished=finished,
        moves=run.moves,
    )

"""What a run did, in numbers and in words."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import mean, median
from textwrap import fill

from ..run.evaluation import Evaluation
from ..run.run import Run
from ..site import Kind
from ..store import megabytes

WIDE = 72  # characters in a line of a sentence
_STATES = {
    frozenset(): "compute",
    frozenset({Kind.ATTENTION}): "reuse attention",
    frozenset({Kind.MLP}): "reuse mlp",
    frozenset({Kind.ATTENTION, Kind.MLP}): "reuse both",
}
_MARKS = {"compute": "#", "reuse attention": "m", "reuse mlp": "a", "reuse both": ".", "predict model": "."}


def state_of(evaluation: Evaluation) -> str:
    """The name of what an evaluation did: `compute`, `reuse attention`, `reuse mlp`, `reuse both` or `predict model`."""
    done = evaluation.predicted_calls
    if done[Kind.MODEL] and not evaluation.computed_calls[Kind.MODEL]:
        return "predict model"
    return _STATES[frozenset(kind for kind in (Kind.ATTENTION, Kind.MLP) if done[kind])]


@dataclass(frozen=True)
class Row:
    """One evaluation: `seconds` is measured from its start to the start of the next one."""

    step: int
    sigma: float
    state: str
    seconds: float


@dataclass(frozen=True)
class RunReport:
    """A finished run.

    `shares`: of each kind's calls in an uncached run, the share that was computed, 0 to 1. `seconds`: whole
    sampling. `seconds_saved`: measured, not a ratio of calls: what the evaluations that predicted something would
    have cost at the median price of a fully computed one, less what they took; None when no evaluation was fully
    computed. `peak_bytes`, `peak_host_bytes`: largest sum of kept tensors on any one device and in host memory.
    `store`: how they were kept, in words; empty when attention and MLP were not. `moves`: how often a conditioning
    went on on another device, and took its past along.
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
        return len(self.rows)

    @property
    def computed(self) -> int:
        """Evaluations in which the model ran."""
        return sum(row.state != "predict model" for row in self.rows)

    def as_dict(self) -> dict:
        """Everything, as JSON types."""
        return {**asdict(self), "evaluations": self.evaluations, "computed": self.computed}

    def line(self) -> str:
        """One line for the log."""
        shares = ", ".join(f"{kind} {share:.0%}" for kind, share in self.shares.items())
        saved = "" if self.seconds_saved is None else f", saved {self.seconds_saved:.1f} s"
        ended = "" if self.finished else " (stopped)"
        return (
            f"{self.name} on {self.model}{ended}: model ran in {self.computed} of {self.evaluations} evaluations, "
            f"computed {shares}; "
            f"{self.seconds:.1f} s{saved}, peak cache {self._peak()}"
            + "".join(f"; {said}" for said in (*self.demotions, *self._restarted()))
        )

    def text(self) -> str:
        """Several lines for a person; sentences are no wider than a node."""
        lines = [
            f"{self.name} on {self.model}" + ("" if self.finished else ", stopped before the end"),
            f"{self.steps} steps, {self.evaluations} evaluations; the model ran in {self.computed}",
            *(f"{kind}: {share:.0%} of calls computed" for kind, share in self.shares.items()),
            f"time: {self.seconds:.2f} s; {self._saved()}",
            *(fill(said, WIDE, subsequent_indent="    ") for said in self._said()),
            "",
            "# all computed     a only attention computed",
            ". all predicted    m only mlp computed",
            "".join(_MARKS[row.state] for row in self.rows),
            "",
            "step  sigma   state            seconds",
        ]
        lines += [f"{r.step:4d}  {r.sigma:6.4f}  {r.state:15s}  {r.seconds:7.4f}" for r in self.rows]
        return "\n".join(lines)

    def _said(self) -> list[str]:
        return [
            f"peak cache: {self._peak()}",
            *(f"demoted: {d}" for d in self.demotions),
            *self._restarted(),
            *(f"note: {n}" for n in self.notes),
        ]

    def _peak(self) -> str:
        host = f" and {megabytes(self.peak_host_bytes)} in host memory" if self.peak_host_bytes else ""
        return megabytes(self.peak_bytes) + host + (f" ({self.store})" if self.store else "")

    def _restarted(self) -> list[str]:
        restarted = [f"histories restarted {self.restarts} times, because shapes changed"] if self.restarts else []
        return restarted + (
            [f"conditionings moved between devices {self.moves} times, with what was kept of them"]
            if self.moves
            else []
        )

    def _saved(self) -> str:
        if self.seconds_saved is None:
            return "nothing to compare with, as nothing was fully computed"
        return f"saved {self.seconds_saved:.2f} s, {self.rate:.2f}x, as measured"

    @property
    def rate(self) -> float | None:
        """How many times faster than uncached, as measured; None when no evaluation was fully computed."""
        return None if self.seconds_saved is None else measured_rate(self.seconds, self.seconds_saved)

    def summary(self) -> list[str]:
        """A few sentences for a person who has the steps before them."""
        shares = ", ".join(f"{kind} {share:.0%}" for kind, share in self.shares.items())
        ended = "" if self.finished else f"stopped after {self.evaluations} evaluations; "
        return [
            f"{ended}{self.seconds:.1f} s; {self._saved()}",
            f"computed: {shares or 'nothing'}; peak cache {self._peak()}",
            *(f"demoted: {said}" for said in self.demotions),
            *self._restarted(),
            *self.notes,
        ]


def measured_rate(seconds: float, saved: float) -> float:
    """How many times faster than uncached a sampling of `seconds` is that `saved` so many."""
    return (seconds + saved) / seconds if seconds else 1.0


def rows_of(evaluations: Iterable[Evaluation]) -> tuple[Row, ...]:
    return tuple(Row(e.step, e.sigma, state_of(e), e.seconds) for e in evaluations)


def saved(rows: tuple[Row, ...]) -> float | None:
    """Seconds saved, as in RunReport.seconds_saved."""
    full = [row.seconds for row in rows if row.state == "compute"]
    if not full:
        return None
    price = median(full[1:] or full)  # the first one also checks the mounts and warms the device up
    return sum(price - row.seconds for row in rows if row.state != "compute")


def _computed_share(evaluation: Evaluation, kind: Kind, sites: int) -> float:
    """Of the calls of `kind` that an uncached evaluation makes, the share that this one computed. `sites`: of the
    kind, in one call."""
    computed, predicted = evaluation.computed_calls[Kind.MODEL], evaluation.predicted_calls[Kind.MODEL]
    ran = computed / (computed + predicted) if predicted else 1.0
    if kind is Kind.MODEL or not evaluation.block_calls:
        return ran
    return ran * (1 - evaluation.predicted_calls[kind] / (sites * evaluation.block_calls))


def _shares(run: Run) -> dict[str, float]:
    kinds = sorted(run.table.kinds, key=lambda kind: kind.value)
    return {
        kind.value: mean(_computed_share(e, kind, run.sites[kind]) for e in run.evaluations)
        for kind in kinds
        if run.evaluations
    }


def report(run: Run, model: str, finished: bool) -> RunReport:
    """The report of a closed run on a model named `model`; `finished` says whether sampling reached its end."""
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

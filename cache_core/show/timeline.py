"""What a timeline of a run shows: the plan before it, and what became of each step as it goes on. Words and numbers
as JSON has them."""

from collections.abc import Mapping, Sequence
from statistics import median

from ..plan import Plan
from ..run.evaluation import Evaluation
from ..run.run import Run
from ..schedule import Released, Table
from ..site import MODULES, Kind
from .report import Row, measured_rate, rows_of, saved

COMPUTED, REUSED, PREDICTED = "computed", "reused", "predicted"
RESTING = "resting"  # no block runs, because another plan predicts the whole model
OPEN = "open"  # decided in the run
STATE = {
    frozenset({Kind.MODEL}): "predict model",
    frozenset({Kind.ATTENTION}): "reuse attention",
    frozenset({Kind.MLP}): "reuse mlp",
    MODULES: "reuse both",
    frozenset(): "compute",
}  # of a report's row, for the kinds that a table predicts

Cells = dict[str, list[str | None]]


def planned(run: Run) -> Cells:
    """For each kind, what each step will do with it."""
    return {
        kind.value: [_intended(run, kind, step) for step in range(run.timeline.steps)] for kind in _kinds(run.table)
    }


def done(run: Run) -> Cells:
    """For each kind, what each step has done with it; None where it has not been reached. A step with a computed
    evaluation is computed."""
    by_step: dict[int, list[Evaluation]] = {}
    for evaluation in run.evaluations:
        by_step.setdefault(evaluation.step, []).append(evaluation)
    return {
        kind.value: [_became(run, kind, by_step.get(step, ())) for step in range(run.timeline.steps)]
        for kind in _kinds(run.table)
    }


def rate_so_far(run: Run) -> float | None:
    """How many times faster than uncached the finished evaluations were, as measured; None as long as none was fully
    computed."""
    rows = rows_of(e for e in run.evaluations if e.seconds)
    gained = saved(rows)
    return None if gained is None else measured_rate(sum(row.seconds for row in rows), gained)


def prices(rows: Sequence[Row]) -> dict[str, float]:
    """Seconds of an evaluation, by state, as measured; the first one also warms up, and does not count where there
    are others."""
    found: dict[str, list[float]] = {}
    for row in rows[1:] or rows:
        found.setdefault(row.state, []).append(row.seconds)
    return {state: median(seconds) for state, seconds in found.items()}


def counted_rate(table: Table) -> float:
    """Calls of an uncached run for each computed one, all kinds alike: what the speed-up cannot pass."""
    return len(table.rows) * len(table.kinds) / sum(map(len, table.rows))


def priced_rate(table: Table, known: Mapping[str, float]) -> float | None:
    """The speed-up with evaluations that cost what `known` says; None where a state of the table was not measured."""
    resting = frozenset(
        {Kind.MODEL}
    )  # whatever else a table predicts at a step that predicts the model, nothing inside runs
    states = [STATE[table.predicted(step) & resting or table.predicted(step)] for step in range(len(table.rows))]
    if not {"compute", *states} <= known.keys():
        return None
    return len(states) * known["compute"] / max(sum(known[state] for state in states), 1e-9)


def boundary(run: Run) -> int | None:
    """The first step of the low-noise stage, where the plan tells stages apart; 0 and the number of steps are possible."""
    limit = next((found for plan in run.plans if (found := _limit(plan)) is not None), None)
    times = run.timeline.times
    return None if limit is None else next((step for step, time in enumerate(times) if time <= limit), len(times))


def noise_scale(run: Run) -> list[float] | None:
    """What the predicted noise is multiplied by at each step; None where it is left alone."""
    corrector = next((plan.corrector for plan in run.plans if plan.corrector.active), None)
    return corrector and [corrector.factor(time) for time in run.timeline.times]


def _limit(plan: Plan) -> float | None:
    base = getattr(plan.schedule, "base", plan.schedule)
    if plan.corrector.active:
        return plan.corrector.boundary
    return None if isinstance(base, Released) else getattr(base, "boundary", None)


def _kinds(table: Table) -> list[Kind]:
    return sorted(table.kinds, key=list(Kind).index)


def _plan(run: Run, kind: Kind) -> Plan:
    return next(plan for plan in run.plans if kind in plan.kinds)


def _filled(run: Run, kind: Kind) -> str:
    return REUSED if run.reusing or _plan(run, kind).predictor.order == 1 else PREDICTED


def _intended(run: Run, kind: Kind, step: int) -> str:
    row = run.table.rows[step]
    if kind in row:
        return COMPUTED
    if kind is not Kind.MODEL and Kind.MODEL in run.table.predicted(step):
        return RESTING
    return OPEN if _plan(run, kind).adaptive else _filled(run, kind)


def _became(run: Run, kind: Kind, evaluations: Sequence[Evaluation]) -> str | None:
    if not evaluations:
        return None
    if any(_ran(kind, evaluation) for evaluation in evaluations):
        return COMPUTED
    return _filled(run, kind) if any(evaluation.predicted_calls[kind] for evaluation in evaluations) else RESTING


def _ran(kind: Kind, evaluation: Evaluation) -> bool:
    """Whether all of `kind` was computed; blocks are not where the whole model was predicted."""
    resting = evaluation.predicted_calls[Kind.MODEL] and not evaluation.computed_calls[Kind.MODEL]
    return not resting and not evaluation.predicted_calls[kind]

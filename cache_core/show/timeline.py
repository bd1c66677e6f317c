"""Timeline of a run: the state of each kind at each step, as planned and as done, and speed-ups. All of it JSON."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ..plan import Plan
from ..run.evaluation import Evaluation
from ..run.run import Run
from ..schedule import Released, Table
from ..site import Kind, in_order
from .report import Row, measured_rate, rows_of, saved
from .states import COMPUTE, COMPUTED, OPEN, PREDICTED, RESTING, REUSED, STATES

Cells = dict[str, list[str | None]]  # by kind, a state for each step


def planned(run: Run) -> Cells:
    """State of each kind at each step, as the table has it."""
    steps = range(run.timeline.steps)
    return {kind.value: [_intended(run, kind, step) for step in steps] for kind in in_order(run.table.kinds)}


def done(run: Run) -> Cells:
    """State of each kind at each step, as it was done; None where the step was not reached.

    A step of several evaluations is computed if one of them is.
    """
    by_step: dict[int, list[Evaluation]] = {}
    for evaluation in run.evaluations:
        by_step.setdefault(evaluation.step, []).append(evaluation)
    return {
        kind.value: [_became(run, kind, by_step.get(step, ())) for step in range(run.timeline.steps)]
        for kind in in_order(run.table.kinds)
    }


def rate_so_far(run: Run) -> float | None:
    """Speed-up of the finished evaluations, as measured; None as long as none was fully computed."""
    rows = rows_of(e for e in run.evaluations if e.seconds)
    gained = saved(rows)
    return None if gained is None else measured_rate(sum(row.seconds for row in rows), gained)


def prices(rows: Sequence[Row]) -> dict[str, float]:
    """Median seconds of an evaluation, by state; without the first one, which warms up, if there are others."""
    seconds: dict[str, list[float]] = {}
    for row in rows[1:] or rows:
        seconds.setdefault(row.state, []).append(row.seconds)
    return {state: median(values) for state, values in seconds.items()}


def counted_rate(table: Table) -> float:
    """Work of an uncached run / work of the table's (Table.work): an upper limit of the speed-up."""
    return len(table.rows) / table.work


def priced(table: Table, known: Mapping[str, float]) -> tuple[float, float] | None:
    """Seconds of a sampling by the table, and of an uncached one, with one evaluation in a step, from the seconds of
    each state in `known`; None if one of the table's states is not in it."""
    states = [STATES[table.predicted(step)] for step in range(len(table.rows))]
    if not {COMPUTE, *states} <= known.keys():
        return None
    return max(sum(known[state] for state in states), 1e-9), len(states) * known[COMPUTE]


def counts(run: Run) -> dict[str, Any]:
    """Numbers of computed steps by kind, as the table has them, and whether they are the least, as a plan decides
    during the run."""
    kinds = {kind.value: len(run.agenda.shown.computed(kind)) for kind in in_order(run.table.kinds)}
    return {"computed": kinds, "least": any(plan.online for plan in run.plans)}


def boundary(run: Run) -> int | None:
    """First step of the low-noise stage, 0 to the number of steps; None for plans without stages."""
    limits = [limit for plan in run.plans if (limit := _limit(plan)) is not None]
    times = run.timeline.times
    return next((step for step, time in enumerate(times) if time <= limits[0]), len(times)) if limits else None


def noise_scale(run: Run) -> list[float] | None:
    """Factor on the predicted noise at each step; None if no plan scales it."""
    active = [plan.corrector for plan in run.plans if plan.corrector.active]
    return [active[0].factor(time) for time in run.timeline.times] if active else None


def _limit(plan: Plan) -> float | None:
    """Model time that separates the stages of a plan, if it has any."""
    base = getattr(plan.schedule, "base", plan.schedule)
    if plan.corrector.active:
        return plan.corrector.boundary
    return None if isinstance(base, Released) else getattr(base, "boundary", None)


def _plan(run: Run, kind: Kind) -> Plan:
    return next(plan for plan in run.plans if kind in plan.kinds)


def _filled(run: Run, kind: Kind) -> str:
    return REUSED if run.reusing or _plan(run, kind).predictor.order == 1 else PREDICTED


def _intended(run: Run, kind: Kind, step: int) -> str:
    table = run.agenda.shown
    if kind in table.rows[step]:
        return COMPUTED
    predicted = table.predicted(step)
    if kind not in predicted or (kind is not Kind.MODEL and Kind.MODEL in predicted):
        return RESTING if Kind.MODEL in predicted else COMPUTED  # the guidance where only blocks are predicted
    return OPEN if _plan(run, kind).online else _filled(run, kind)


def _became(run: Run, kind: Kind, evaluations: Sequence[Evaluation]) -> str | None:
    if not evaluations:
        return None
    if any(_ran(kind, evaluation) for evaluation in evaluations):
        return COMPUTED
    within = (e for e in evaluations if kind is Kind.MODEL or not _rests(e))
    return _filled(run, kind) if any(evaluation.predicted_calls[kind] for evaluation in within) else RESTING


def _ran(kind: Kind, evaluation: Evaluation) -> bool:
    """True if all of `kind` was computed; nothing in the blocks is if the whole model was predicted."""
    return not _rests(evaluation) and not evaluation.predicted_calls[kind]


def _rests(evaluation: Evaluation) -> bool:
    """True if the whole model was predicted."""
    return bool(evaluation.predicted_calls[Kind.MODEL] and not evaluation.computed_calls[Kind.MODEL])

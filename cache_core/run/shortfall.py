"""Reasons why a run predicts nothing, or next to nothing, although a cache was asked for, and the setting that mends
it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..plan import Plan
from ..schedule import Adaptive, Frame, Online, Table
from ..site import names
from ..timeline import Timeline

if TYPE_CHECKING:
    from .run import Run

LITTLE = 0.15  # of the steps: a prediction at fewer is worth a word


def shortfalls(plans: tuple[Plan, ...], table: Table, timeline: Timeline) -> Iterator[str]:
    """A sentence for each plan that predicts at less than 15 % of the steps, with the reason for computing the others.
    Plans with notes of their own are left out."""
    for plan in plans:
        predicted = sum(bool(plan.kinds & table.predicted(step)) for step in range(timeline.steps))
        enough = LITTLE * timeline.steps if _frame(plan) else 1  # a list of steps is what somebody wanted
        if predicted < enough and not plan.notes:
            done = f"{predicted} of {timeline.steps} steps" if predicted else f"none of {timeline.steps} steps"
            yield f"{plan.name} predicts {done}: {_forced(plan, timeline)}"


def _forced(plan: Plan, timeline: Timeline) -> str:
    """The reason why steps are computed, by the names of the widgets, and the setting that changes it."""
    frame = _frame(plan)
    if frame is None:
        return "its list of computed steps leaves no more. Name fewer steps"
    warmup, free = max(frame.warmup, 1), len(frame.free(timeline))
    edge = min(timeline.steps, warmup + frame.final)
    if free >= LITTLE * timeline.steps:
        return "the intervals compute the others. Set them higher"
    if timeline.steps - edge - free > edge - warmup:
        return f"start_percent {frame.start:g} to end_percent {frame.end:g} leave {free} free. Widen them"
    return (
        f"warmup_steps {frame.warmup} and final_steps {frame.final} are computed. Set warmup_steps lower, or take the "
        "preset auto, which follows the number of steps"
    )


def _frame(plan: Plan) -> Frame | None:
    return getattr(getattr(plan.schedule, "base", plan.schedule), "frame", None)


def unpredicted(run: Run) -> str:
    """The reason why a finished run predicted nothing although its table does; empty where it predicted, was not to, or
    has said so."""
    done = run.evaluations
    wanted = [step for step, row in enumerate(run.table.rows) if row != run.table.kinds]
    if not done or not wanted or run.trying or run.demotions or any(evaluation.predicted_calls for evaluation in done):
        return ""
    seen = {evaluation.step for evaluation in done}
    if not seen & set(wanted):
        return (
            "nothing was predicted: the sampler stopped before the first step that is predicted, or leaves those "
            "steps out"
        )
    if run.restarts:
        return (
            "nothing was predicted: the shapes inside the model changed at each step, and nothing kept fits the "
            "next one"
        )
    if any(isinstance(plan.schedule, Adaptive) for plan in run.plans):
        return (
            "nothing was predicted: two predictions disagreed by more than tolerance at each step. Set tolerance "
            "higher, or 0 for a fixed interval"
        )
    if any(isinstance(plan.schedule, Online) for plan in run.plans):
        return (
            "nothing was predicted: what is read of the run reached the threshold at each step, or could not be "
            "compared with the step before. Set threshold higher"
        )
    if not any(evaluation.computed_calls for evaluation in done):
        return (
            "nothing was predicted: the model is called past ComfyUI's wrappers, so no output of "
            f"{names(run.table.kinds)} was seen"
        )
    return "nothing was predicted: no step that is predicted had a computed output to start from"

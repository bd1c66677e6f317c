"""The timeline of an Apply node with its widgets as they stand, by the code that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...cache_core import MODULES, OUTPUT, ConfigError, Kind, Run, Timeline
from ...cache_core.plan import MIN_STEPS, check_together, outlook
from ...cache_core.saved_plan.saved_plan import SavedPlan
from ...cache_core.schedule import changed
from ...cache_core.settings import Settings
from ...cache_core.settings.foreseen import computed_steps
from ...cache_core.settings.saved import ComputedSettings, SavedPlanSettings
from ...cache_core.show import timeline as view
from ...cache_core.show.similarity import in_words
from ...cache_core.site import in_order
from ...cache_core.store import megabytes
from ..comfy import plan_folder, sampling
from ..comfy.learning import learnable
from .last_runs import Facts
from .request import Node, Request, cells_of
from .sigmas import Described, timeline_of


def preview(request: Request, last: Facts | None) -> dict:
    """The answer to a request, as JSON types; `last`: facts of the node's last run. An answer to an edit has the
    `widgets` to write. Raises RequestError for an edit of cells that are not there, and ConfigError for widgets that
    cannot be run."""
    described = request.sampling or (Described(last.timeline.steps) if last else Described())
    timeline, exact = timeline_of(described, last)
    if request.node.off:
        return _off(request.node, timeline) | {"exact": exact}
    ahead = Ahead(timeline, described.sampler, last)
    node, written, fixed = request.node, {}, _fixed(request, timeline)
    if request.edit is not None and not fixed:
        table = Run((ahead.settled(node)[0].plan(timeline),), timeline).table
        written = node.settings().edited(changed(table, cells_of(request.edit, table)), timeline)
        node = node.changed(written)
    shown = ahead.shown(node, request.beside)
    return {**shown, "exact": exact, "editable": not fixed, "fixed": fixed, "widgets": written}


def _off(node: Node, timeline: Timeline) -> dict:
    """The answer for a node that is switched off."""
    name = f"{node.kind.title} off"
    return {
        "name": name,
        "off": True,
        "steps": timeline.steps,
        "cells": {kind.value: [view.COMPUTED] * timeline.steps for kind in Kind if kind in node.kind.kinds},
        "boundary": None,
        "scale": None,
        "rate": 1.0,
        "bytes": None,
        "lines": [name, "off: it caches nothing, as without this node"],
        "editable": False,
        "fixed": "",
        "widgets": {},
    }


def _fixed(request: Request, timeline: Timeline) -> str:
    """The reason why single steps cannot be changed; empty where they can."""
    if request.node.plan is not None:
        return "The plan says what each step does, so steps cannot be changed here."
    if timeline.steps < MIN_STEPS:
        return f"Steps cannot be changed: fewer than {MIN_STEPS} are all computed."
    if request.node.kind.kinds == MODULES and any(other.kind.kinds == OUTPUT for other in request.beside):
        return (
            "Steps cannot be changed here while AB-Cache is on this model, too: FEB-Cache, and its edited_steps, count "
            "only the steps at which the model runs."
        )
    return ""


@dataclass(frozen=True)
class Ahead:
    """The sampling that comes next. `sampler`: its name. `last`: facts of the node's last run."""

    timeline: Timeline
    sampler: str
    last: Facts | None

    def settled(self, node: Node, alone: bool = True) -> tuple[Settings, str]:
        """The settings that count for a node in the next run, and a remark on them; `alone` on its model or not. Raises
        ConfigError for widgets, or a plan, that cannot be run."""
        if node.plan is not None:
            given = self._given(node, node.plan)
            return SavedPlanSettings("plan", given), _drift(given)
        settings, steps = node.settings(), self.timeline.steps
        if not settings.learns or not learnable(steps, self.sampler):
            return settings, ""
        if not alone and node.kind.kinds == MODULES:  # as in learning.learner_of
            return settings.unlearned(), ""
        count = computed_steps(steps, settings.learns)
        learned = self.last.learned if self.last else None
        if learned and self._is_for(learned, node, count):
            return SavedPlanSettings(f"{settings.name}, learned", learned, learned=True), _drift(learned)
        return ComputedSettings(f"{settings.name}, recording", node.kind.kinds), (
            "learn: the first picture of a model, size and sampler computes every step; those after it about "
            f"{count} of {steps} ({steps / count:.1f}x)"
        )

    def _is_for(self, learned: SavedPlan, node: Node, count: int) -> bool:
        """True if a plan was learned for this node and sampling, to compute `count` steps or, where that was too few,
        more."""
        steps = (
            len(learned.table.computed(in_order(node.kind.kinds)[0])) if learned.table.kinds == node.kind.kinds else 0
        )
        return learned.schedule.matches(self.timeline) and steps >= count

    def _given(self, node: Node, name: str):
        """The plan in the file `name`, or, without a name, that of the node's last run."""
        plans = self.last.given if self.last else ()
        given = plan_folder.read(name) if name else next((p for p in plans if p.table.kinds <= node.kind.kinds), None)
        if given is None:
            raise ConfigError("The plan comes from another node, and is known here once this node has run with it.")
        return given

    def shown(self, node: Node, beside: Sequence[Node]) -> dict:
        """The plan that the run makes of all Apply nodes, with the cells of `node`. Raises ConfigError for nodes that
        cannot share a model."""
        settled, remarks = zip(*(self.settled(each, not beside) for each in (node, *beside)), strict=True)
        check_together(tuple(s.plan(self.timeline) for s in settled))
        # a run that is learned from caches nothing at all
        counting = tuple(s for s in settled if isinstance(s, ComputedSettings)) or settled
        run = Run(tuple(s.plan(self.timeline) for s in counting), self.timeline)
        if sampling.noisy_name(self.sampler):
            run.reuse(f"{self.sampler} adds new noise at each step, by its name")
        size, (rate, promise) = self._bytes(run), self._rate(run)
        kept = "" if size is None else f"cache {megabytes(size)}, by the last run"
        name = " + ".join(s.name for s in counting)
        promises = "; ".join(filter(None, (promise, kept, *remarks)))
        return {
            "name": name,
            "steps": self.timeline.steps,
            "cells": _cells(node, settled[0], run),
            "boundary": view.boundary(run),
            "scale": view.noise_scale(run),
            "rate": rate,
            "bytes": size,
            "lines": [f"{name}: {outlook(run.plans, run.table)}", promises, *run.notes],
        }

    def _rate(self, run: Run) -> tuple[float | None, str]:
        """The predicted speed-up, and the same in words: by measured seconds where they are known, else by calls; None
        where the run decides."""
        if any(plan.adaptive for plan in run.plans):
            return None, "speed-up decided in the run"
        rate = view.priced_rate(run.table, self.last.prices) if self.last else None
        if rate is not None:
            return rate, f"about {rate:.2f}x, by the seconds of the last run"
        rate = view.counted_rate(run.table)
        return rate, f"at most {rate:.2f}x, counting calls"

    def _bytes(self, run: Run) -> int | None:
        """The bytes of the cache, from those of the last run; None where that run kept other kinds, or in another
        form."""
        memory = self.last.memory if self.last else None
        if memory is None or run.store.rung != memory.rung or run.table.states() != memory.states:
            return None
        return round(memory.bytes * max(plan.predictor.order for plan in run.plans) / memory.order)


def _drift(plan: SavedPlan) -> str:
    if plan.drift is None:
        return "drift not measured"
    return f"drift {plan.drift:.4f}{plan.drifts_text()}, relative L2 to the uncached picture: {in_words(plan.drift)}"


def _cells(node: Node, settings: Settings, run: Run) -> view.Cells:
    """The cells of the kinds that a node caches; computed ones for a kind that the run does not cache."""
    given = settings.given.table.kinds if isinstance(settings, SavedPlanSettings) else node.kind.kinds
    own, cells = [kind for kind in Kind if kind in node.kind.kinds & given], view.planned(run)
    return {kind.value: cells.get(kind.value, [view.COMPUTED] * run.timeline.steps) for kind in own}

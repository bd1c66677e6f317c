"""The sampling that comes next, in numbers and in what web/js/words.js puts into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...cache_core import MODULES, OUTPUT, ConfigError, Kind, Run, Timeline
from ...cache_core.methods import Profile
from ...cache_core.plan import check_together
from ...cache_core.saved_plan.saved_plan import SavedPlan
from ...cache_core.settings import WidgetSettings
from ...cache_core.settings.foreseen import computed_steps
from ...cache_core.settings.presets import CUSTOM
from ...cache_core.settings.saved import ComputedSettings, SavedPlanSettings
from ...cache_core.show import timeline as view
from ...cache_core.show.similarity import decibels_of, to_the_eye
from ...cache_core.site import in_order
from ...cache_core.timeline import same_sampling
from ..comfy import plan_folder, profiling, sampling
from ..comfy.learning import learnable
from .ahead_of_method import foreseen, threshold_of, without_changes
from .last_runs import Facts
from .request import AnyNode, MethodNode, Node
from .settled import Settled


@dataclass(frozen=True)
class Ahead:
    """The sampling that comes next. `sampler`: its name. `last`: what is known from the node's last run."""

    timeline: Timeline
    sampler: str
    last: Facts | None

    def settled(self, node: AnyNode, alone: bool = True) -> Settled:
        """The settings that count for a node in the next run; `alone` on its model or not. Raises ConfigError for
        widgets, or a plan, that cannot be run."""
        if isinstance(node, MethodNode):
            return self._of_method(node)
        if node.plan is not None:
            given = self._given(node, node.plan)
            return Settled(node.kind.of_plan(given), given)
        settings, steps = node.settings(), self.timeline.steps
        if not settings.learns:
            return Settled(settings, left=bool(node.widgets.get("learn")) and settings.preset.startswith(CUSTOM))
        if not learnable(steps, self.sampler) or self.timeline.rises:
            return Settled(settings)
        if not alone and node.kind.kinds == MODULES:  # as in learning.learner_of
            return Settled(settings.unlearned())
        learned, why = self._learned(settings)
        if learned:
            return Settled(SavedPlanSettings(f"{settings.name}, learned", learned, learned=True), learned)
        if why:
            return Settled(settings, note=f"no plan is learned for this sampling, the widgets count: {why}")
        count = computed_steps(steps, settings.learns)
        return Settled(ComputedSettings(f"{settings.name}, recording", node.kind.kinds), learns=steps / count)

    def _learned(self, settings: WidgetSettings) -> tuple[SavedPlan | None, str]:
        """The plan that was learned for this sampling, or the reason why none can be. Neither is known before the model
        has run here: plans go by the fingerprint of its weights."""
        key = self._key(settings.learns, settings.kinds)
        return (plan_folder.learned(key), plan_folder.why_unlearnable(key)) if key else (None, "")

    def _key(self, learns: float, kinds: frozenset[Kind]) -> str:
        """The key of what is learned for this sampling; empty where the last run does not tell."""
        if self.last is None or self.last.origin is None:
            return ""
        sampler = sampling.function_of(self.sampler) if self.sampler else self.last.origin.sampler
        origin, modalities = replace(self.last.origin, sampler=sampler), len(self.last.timeline.modalities)
        return plan_folder.key_of(origin, self.timeline.sigmas, learns, kinds, modalities)

    def _of_method(self, node: MethodNode) -> Settled:
        """The settings of a method, as far as the model is known here."""
        if self.last is None or self.last.method is None:
            return foreseen(node, self.timeline, self.sampler, None, self._profile)
        ran, same = self.last.method, same_sampling(self.last.timeline.sigmas, self.timeline.sigmas)
        known = ran if same else replace(ran, time_changes=())
        found = foreseen(replace(node, inside=ran.inside), self.timeline, self.sampler, known, self._profile)
        return found if same else without_changes(found, self.timeline)

    def _profile(self) -> Profile | None:
        """The profile that was recorded for this sampling."""
        key = self._key(0.0, OUTPUT)
        return profiling.known(key, self.timeline) if key else None

    def _given(self, node: Node, name: str) -> SavedPlan:
        """The plan in the file `name`, or, without a name, that of the node's last run."""
        plans = self.last.given if self.last else ()
        given = plan_folder.read(name) if name else next((p for p in plans if p.table.kinds <= node.kind.kinds), None)
        if given is None:
            raise ConfigError("The plan comes from another node, and is known here once this node has run with it.")
        return given

    def shown(self, node: AnyNode, beside: Sequence[AnyNode]) -> dict:
        """The plan that the run makes of all Apply nodes, with the cells of `node`. Raises ConfigError for nodes that
        cannot share a model."""
        every = [self.settled(each, not beside) for each in (node, *beside)]
        check_together(tuple(s.settings.plan(self.timeline) for s in every))
        # a run that is learned from caches nothing at all
        counting = [s.settings for s in every if s.learns] or [s.settings for s in every]
        run = Run(tuple(s.plan(self.timeline) for s in counting), self.timeline)
        if sampling.noisy_name(self.sampler):
            run.reuse(f"{self.sampler} adds new noise at each step, by its name")
        learns = max(s.learns for s in every)
        rate, seconds = (None, None) if any(s.unknown for s in every) else self._rate(run)
        return {
            "name": " + ".join(s.name for s in counting),
            "steps": self.timeline.steps,
            "cells": _cells(node, every[0], run),
            "threshold": threshold_of(every[0].settings, self.timeline),
            "boundary": view.boundary(run),
            "scale": view.noise_scale(run),
            "rate": rate,
            "seconds": seconds,
            "bytes": self._bytes(run),
            **_counts(every[0], run),
            "learns": learns,
            "learned": any(getattr(s, "learned", False) for s in counting),
            "kept": bool(learns) and (self.last is None or self.last.origin is None) and _learned_before(),
            "left": every[0].left,
            **_alike([s.plan for s in every if s.plan and s.plan.drift is not None]),
            "notes": [*filter(None, (s.note for s in every)), *run.notes],
        }

    def _rate(self, run: Run) -> tuple[float | None, list[float] | None]:
        """The predicted speed-up, and the seconds with and without the cache by those of the last run; by calls, and
        None, where these are not known; None and None where the run decides."""
        if any(plan.online for plan in run.plans):
            return None, None
        table = run.agenda.shown
        known = view.priced(table, self.last.prices) if self.last else None
        if known is None:
            return view.counted_rate(table), None
        cached, uncached = (seconds * self.last.each for seconds in known) if self.last else known
        return uncached / cached, [cached, uncached]

    def _bytes(self, run: Run) -> int | None:
        """The bytes of the cache, from those of the last run; None where that run kept other kinds, or in another
        form."""
        memory = self.last.memory if self.last else None
        if memory is None or run.store.rung != memory.rung or run.table.states() != memory.states:
            return None
        return round(memory.bytes * max(plan.predictor.order for plan in run.plans) / memory.order)


def _alike(plans: Sequence[SavedPlan]) -> dict:
    """How like the uncached picture the next one is, by the plan that is furthest from it: `alike`, PSNR in dB, and in
    words, None where no plan knows; and `apart`, PSNR by modality, where there are several."""
    if not plans:
        return {"alike": None, "apart": {}}
    furthest = max(plans, key=lambda plan: plan.drift or 0.0)
    decibels = decibels_of(furthest.drift or 0.0)
    return {
        "alike": [decibels, to_the_eye(decibels)],
        "apart": {name: decibels_of(drift) for name, drift in furthest.drifts},
    }


def _learned_before() -> bool:
    """True if there are plans of the user: one of them may be for this sampling."""
    return any(not name.startswith(plan_folder.PREFIX) for name in plan_folder.available())


def _cells(node: AnyNode, settled: Settled, run: Run) -> view.Cells:
    """The cells of the kinds that a node caches; computed ones for a kind that the run does not cache."""
    if isinstance(node, MethodNode):
        return _cells_of_method(settled, run)
    given = settled.plan.table.kinds if settled.plan else node.kinds
    own, cells = [kind for kind in Kind if kind in node.kinds & given], view.planned(run)
    return {kind.value: cells.get(kind.value, [view.COMPUTED] * run.timeline.steps) for kind in own}


def _cells_of_method(settled: Settled, run: Run) -> view.Cells:
    """The cells of the kinds of a method's own plan; open ones where nothing is known of single steps."""
    own, steps, cells = settled.settings.plan(run.timeline).kinds, run.timeline.steps, view.planned(run)
    computed: list[str | None] = [view.COMPUTED] * steps
    unknown: list[str | None] = [view.COMPUTED, *[view.OPEN] * (steps - 1)]
    return {k.value: unknown if settled.unknown else cells.get(k.value, computed) for k in in_order(own)}


def _counts(settled: Settled, run: Run) -> dict[str, Any]:
    """The numbers of computed steps of a run; the least ones where nothing is known of single steps."""
    found = view.counts(run)
    return {"computed": dict.fromkeys(found["computed"], 1), "least": True} if settled.unknown else found

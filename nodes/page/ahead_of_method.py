"""The sampling that comes next with Cache Method: what is known of it before the model has run here, and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...cache_core import MODULES, OUTPUT, Plan, Timeline
from ...cache_core.errors import RefusedError
from ...cache_core.methods import Profile, method_named
from ...cache_core.schedule import Steps
from ...cache_core.settings.method import BLIND, MethodSettings
from ...cache_core.settings.saved import FixedSettings
from ..comfy.learning import learnable
from .request import MethodNode
from .settled import Settled

Recall = Callable[[], Profile | None]

# the notes of the strip, in web/js/sentences.js, too
UNKNOWN = "which steps are computed goes by the model, and is known here once this node has run"
GUESSED = "the model is known here once this node has run; until then the steps are a guess"
UNLEARNABLE = "nothing can be learned from this sampling: running uncached"


def foreseen(
    node: MethodNode,
    timeline: Timeline,
    sampler: str,
    ran: MethodSettings | None,
    profile: Recall,
) -> Settled:
    """The settings that count for the node's method. `ran`: those in the node's last run, None before the first;
    `profile`: gets that of the sampling, None where none was recorded. Raises ConfigError for widgets that cannot be
    run."""
    if ran is None:
        return _unseen(node, timeline, sampler)
    settings = node.settings(variant=ran.variant, time_changes=ran.time_changes)
    if not settings.records:
        return Settled(settings)
    if (found := profile()) and settings.served(found):
        return Settled(replace(settings, profile=found))
    return _recorded(settings, timeline, sampler)


def _unseen(node: MethodNode, timeline: Timeline, sampler: str) -> Settled:
    """The settings for a model that has not run here. Raises ConfigError for what is wrong whatever the model."""
    try:
        settings = node.settings()
    except RefusedError:
        return _unknown(node.widgets["method"], node.inside, timeline)
    if settings.records:
        return _recorded(settings, timeline, sampler)
    return Settled(settings, note=GUESSED if settings.saves else "")


def without_changes(found: Settled, timeline: Timeline) -> Settled:
    """The settings for a sampling that the model's time embedding is not known at, as far as they go by that."""
    settings = found.settings
    if isinstance(settings, MethodSettings) and BLIND in settings.plan(timeline).notes:
        return _unknown(settings.method, settings.inside, timeline)
    return found


def _unknown(method: str, inside: bool, timeline: Timeline) -> Settled:
    """Settings in the place of those of which no single step is known."""
    kinds = method_named(method).kinds or (MODULES if inside else OUTPUT)
    every = Plan(Steps(kinds, tuple(range(timeline.steps))), name=method, notes=(UNKNOWN,))
    return Settled(FixedSettings(every), unknown=True)


def _recorded(settings: MethodSettings, timeline: Timeline, sampler: str) -> Settled:
    """The settings where the next run is to be recorded."""
    if timeline.rises or not learnable(timeline.steps, sampler):
        return Settled(settings, note=UNLEARNABLE)
    return Settled(settings, learns=1.0 if settings.threshold else 1 / (1 - settings.strength))


def threshold_of(settings: object, timeline: Timeline) -> dict | None:
    """The threshold in force, by the `name` it has in its paper: its `value`, and the `strength` that it comes from,
    None where it was set; None for settings without one, and before a profile is there."""
    if not isinstance(settings, MethodSettings) or not settings.saves:
        return None
    if settings.imported or (settings.records and not settings.threshold):
        return None
    name, _, value = settings.of.threshold.said(settings.threshold_at(timeline)).rpartition(" ")
    return {"name": name, "value": value, "strength": None if settings.threshold else settings.strength}

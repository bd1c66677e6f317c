"""Runs of the Apply nodes, as the page's timelines are told of them, and facts of each node's last run."""

from __future__ import annotations

import copy
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ...cache_core.errors import brief
from ...cache_core.show import timeline as view
from .server import server

if TYPE_CHECKING:
    from ...cache_core import Run, RunReport, Timeline
    from ...cache_core.saved_plan.saved_plan import Origin, SavedPlan
    from ...cache_core.settings.method import MethodSettings
    from ...cache_core.store import Rung
    from ..comfy.session import Session
    from .scene import Scene

EVENT = "feb_cache.progress"
SCRIPTS = Path(__file__).resolve().parents[2] / "web" / "js"
PAUSE = 0.1  # least seconds between two events of a node
MOST_SAID = 1000  # characters of an error that ended a run
NODES = 64  # timelines of which the last state is kept: one for each model of a node


@dataclass(frozen=True)
class Memory:
    """Most bytes kept in a run: in the form `rung`, for a table with these `states`, and the highest order of its
    predictors."""

    bytes: int
    rung: Rung
    states: frozenset
    order: int


@dataclass(frozen=True)
class Facts:
    """Facts of a node's last finished run. Numbers only; `model_sampling` is a copy of a few thousand of them, on the
    CPU. `prices`: seconds of an evaluation by state; `each`: evaluations in a step. `origin`: of plans learned for this
    sampling; None where none can be, or it is not known. `given`: plans given to the node. `method`: the settings of a
    method that ran, with what is known of the model; None without one."""

    timeline: Timeline
    model_sampling: object
    prices: dict[str, float]
    memory: Memory | None
    given: tuple[SavedPlan, ...]
    origin: Origin | None = None
    each: float = 1.0
    method: MethodSettings | None = None

    def elsewhere(self, before: Scene, now: Scene) -> Facts | None:
        """The facts that hold in another scene; None for another model."""
        if before.model != now.model:
            return None
        facts = self if before.how == now.how else replace(self, origin=None, prices={})
        if (before.size, before.batch) == (now.size, now.batch):
            return facts
        known, origin = before.size and now.size, facts.origin
        moved = replace(origin, cells=round(origin.cells * now.size / before.size)) if origin and known else None
        return replace(facts, origin=moved, prices={}, memory=None)


@dataclass
class Known:
    """The last state of a node's timeline, as JSON, and the facts behind it. `asked`: the scene that the page asked
    about last; `scene`: the one when the last run began, or, where the page had not asked yet, first after it."""

    state: dict = field(default_factory=dict)
    facts: Facts | None = None
    asked: Scene | None = None
    scene: Scene | None = None

    def facts_in(self, scene: Scene) -> Facts | None:
        """The facts that hold in a scene, which the page asks about."""
        self.asked = scene
        if self.facts is None:
            return None
        self.scene = self.scene or scene
        return self.facts.elsewhere(self.scene, scene)


_known: OrderedDict[tuple[str, str, int], Known] = OrderedDict()
_keeping = Lock()  # samplings may run in several threads


def known(node: str, cls: str, part: int = 0) -> Known:
    """The last state and facts of a node, by its id in a prompt; empty where it has not run in this server. `part`: 1
    for runs of its second model."""
    return _known.get((node, cls, part), Known())


def asked(node: str, cls: str, part: int, scene: Scene) -> Facts | None:
    """The facts of a node that hold in a scene, which the page asks about."""
    return _entry((node, cls, part)).facts_in(scene)


def _entry(key: tuple[str, str, int]) -> Known:
    """A node's entry, to be written to. The entry of the node that was used longest ago is dropped."""
    with _keeping:
        kept = _known.setdefault(key, Known())
        _known.move_to_end(key)
        while len(_known) > NODES:
            _known.popitem(last=False)
        return kept


def page_timeline(node: str, cls: str, part: int = 0) -> PageTimeline | None:
    """The timeline of the node of class `cls` with this id. None for a node without id, and where the page's scripts
    are missing: a page without a listener writes every event to its console."""
    return PageTimeline(str(node), cls, part) if node and SCRIPTS.is_dir() else None


class PageTimeline:
    """A node's timeline on the page, a `comfy.mailbox.Display`; of its second model where `part` is 1. Each event is
    the whole state, so that a lost one does no harm."""

    def __init__(self, node: str, cls: str, part: int = 0):
        self.node, self.cls, self.part = node, cls, part
        self._told = 0.0
        self._planned: view.Cells = {}
        self._scene: Scene | None = None

    def began(self, run: Run) -> None:
        """Show the plan, before the first evaluation."""
        self._planned = view.planned(run)
        self._scene = self._keep().asked
        self._publish(run)

    def advanced(self, run: Run) -> None:
        """Show the steps that are done, after each evaluation."""
        last = len(run.evaluations) == run.timeline.steps
        self._publish(run, urgent=last)

    def learning(self, run: Run, done: int, steps: int) -> None:
        """Show how much of what follows the first picture is done."""
        self._publish(run, urgent=done in (0, steps), learning=[done, steps])

    def ended(self, session: Session, report: RunReport) -> None:
        """Show the outcome, after the last evaluation or when sampling was stopped, on the way of its error to ComfyUI.
        The page asks for a new preview at once, so the facts for it come first."""
        if report.finished and report.rows:
            kept = self._keep()
            kept.facts, kept.scene = facts(session, report), self._scene
        outcome = {**report.summary(), "lesson": session.lesson}
        error = "" if report.finished else brief(str(sys.exc_info()[1] or ""), MOST_SAID)
        self._publish(session.run, running=False, rate=report.rate, report=outcome, failed=error)

    def _publish(self, run: Run, running: bool = True, urgent: bool = True, **more: object) -> None:
        state = self._keep().state = {
            "node": self.node,
            "class": self.cls,
            "part": self.part,
            "running": running,
            "steps": run.timeline.steps,
            "planned": self._planned,
            "model": self._scene.model if self._scene else "",
            "cells": view.done(run),
            "rate": view.rate_so_far(run) if running else None,
            **view.counts(run),
            "notes": [*run.demotions],
            **more,
        }
        now = time.monotonic()
        if not running or urgent or now - self._told >= PAUSE:
            self._told = now
            send(state)

    def _keep(self) -> Known:
        return _entry((self.node, self.cls, self.part))


def facts(session: Session, report: RunReport) -> Facts:
    """The facts of a finished run."""
    run = session.run
    order = max(plan.predictor.order for plan in run.plans)
    memory = Memory(report.peak_bytes + report.peak_host_bytes, run.store.rung, run.table.states(), order)
    sampling = copy.deepcopy(session.model_sampling).cpu()
    prices, each = {**session.prices, **view.prices(report.rows)}, report.evaluations / report.steps
    return Facts(run.timeline, sampling, prices, memory, session.given, session.origin, each, session.method)


def send(state: dict) -> None:
    """Send a state to the page that queued the prompt; outside ComfyUI nothing is sent."""
    if server() is not None:
        server().send_sync(EVENT, state, server().client_id)

"""Runs of the Apply nodes, as the page's timelines are told of them, and facts of each node's last run."""

from __future__ import annotations

import copy
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ...cache_core.plan import outlook
from ...cache_core.show import timeline as view
from .server import server

if TYPE_CHECKING:
    from ...cache_core import Run, RunReport, Timeline
    from ...cache_core.saved_plan.saved_plan import SavedPlan
    from ...cache_core.store import Rung
    from ..comfy.session import Session

EVENT = "feb_cache.progress"
SCRIPTS = Path(__file__).resolve().parents[2] / "web" / "js"
PAUSE = 0.1  # least seconds between two events of a node
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
    CPU. `prices`: seconds of an evaluation by state. `learned`: the plan for the next run. `given`: by the node."""

    timeline: Timeline
    model_sampling: object
    prices: dict[str, float]
    memory: Memory
    learned: SavedPlan | None
    given: tuple[SavedPlan, ...]


@dataclass
class Known:
    """The last state of a node's timeline, as JSON, and the facts behind it."""

    state: dict = field(default_factory=dict)
    facts: Facts | None = None


_known: OrderedDict[tuple[str, str, int], Known] = OrderedDict()
_keeping = Lock()  # samplings may run in several threads


def known(node: str, cls: str, part: int = 0) -> Known:
    """The last state and facts of a node, by its id in a prompt; empty where it has not run in this server. `part`: 1
    for runs of its second model."""
    return _known.get((node, cls, part), Known())


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

    def began(self, run: Run) -> None:
        """Show the plan, before the first evaluation."""
        self._planned = view.planned(run)
        self._publish(run, [outlook(run.plans, run.table)], running=True)

    def advanced(self, run: Run) -> None:
        """Show the steps that are done, after each evaluation."""
        last = len(run.evaluations) == run.timeline.steps
        self._publish(run, [outlook(run.plans, run.table), *run.demotions], running=True, urgent=last)

    def ended(self, session: Session, report: RunReport) -> None:
        """Show the outcome, after the last evaluation or when sampling was stopped. The page asks for a new preview at
        once, so the facts for it come first."""
        if report.finished and report.rows:
            self._keep().facts = facts(session, report)
        self._publish(session.run, report.summary(), running=False, rate=report.rate)

    def _publish(
        self, run: Run, lines: list[str], running: bool, urgent: bool = True, rate: float | None = None
    ) -> None:
        state = self._keep().state = {
            "node": self.node,
            "class": self.cls,
            "part": self.part,
            "running": running,
            "steps": run.timeline.steps,
            "planned": self._planned,
            "cells": view.done(run),
            "rate": view.rate_so_far(run) if running else rate,
            "lines": lines,
        }
        now = time.monotonic()
        if not running or urgent or now - self._told >= PAUSE:
            self._told = now
            send(state)

    def _keep(self) -> Known:
        """The node's entry, to be written to. The entry of the node that ran longest ago is dropped."""
        key = (self.node, self.cls, self.part)
        with _keeping:
            kept = _known.setdefault(key, Known())
            _known.move_to_end(key)
            while len(_known) > NODES:
                _known.popitem(last=False)
            return kept


def facts(session: Session, report: RunReport) -> Facts:
    """The facts of a finished run."""
    run = session.run
    order = max(plan.predictor.order for plan in run.plans)
    memory = Memory(report.peak_bytes + report.peak_host_bytes, run.store.rung, run.table.states(), order)
    sampling = copy.deepcopy(session.model_sampling).cpu()
    return Facts(run.timeline, sampling, view.prices(report.rows), memory, session.learned, session.given)


def send(state: dict) -> None:
    """Send a state to the page that queued the prompt; outside ComfyUI nothing is sent."""
    if server() is not None:
        server().send_sync(EVENT, state, server().client_id)

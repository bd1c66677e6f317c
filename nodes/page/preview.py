"""The timeline of an Apply node with its widgets as they stand, by the code that runs it."""

from __future__ import annotations

from ...cache_core import MODULES, OUTPUT, Kind, Run, Timeline
from ...cache_core.plan import MIN_STEPS
from ...cache_core.schedule import changed
from ...cache_core.show import timeline as view
from .ahead import Ahead
from .last_runs import Facts
from .request import AnyNode, MethodNode, Node, Request, cells_of
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
    if isinstance(node, Node) and request.edit is not None and not fixed:
        table = Run((ahead.settled(node).settings.plan(timeline),), timeline).table
        written = node.settings().edited(changed(table, cells_of(request.edit, table)), timeline)
        node = node.changed(written)
    shown = ahead.shown(node, request.beside)
    return {**shown, "exact": exact, "editable": not fixed, "fixed": fixed, "widgets": written}


def _off(node: AnyNode, timeline: Timeline) -> dict:
    """The answer for a node that is switched off."""
    kinds = [kind for kind in Kind if kind in node.kinds]
    return {
        "name": f"{node.title} off",
        "off": True,
        "steps": timeline.steps,
        "cells": {kind.value: [view.COMPUTED] * timeline.steps for kind in kinds},
        "boundary": None,
        "scale": None,
        "rate": 1.0,
        "seconds": None,
        "bytes": None,
        "computed": {kind.value: timeline.steps for kind in kinds},
        "least": False,
        "learns": 0.0,
        "learned": False,
        "kept": False,
        "left": False,
        "alike": None,
        "apart": {},
        "threshold": None,
        "notes": [],
        "editable": False,
        "fixed": "",
        "widgets": {},
    }


def _fixed(request: Request, timeline: Timeline) -> str:
    """The reason why single steps cannot be changed, by its key in web/js/words.js; empty where they can."""
    if isinstance(request.node, MethodNode):
        return "method"
    if request.node.plan is not None:
        return "plan"
    if timeline.steps < MIN_STEPS:
        return "few"
    apart = request.node.kinds != MODULES or all(other.kinds != OUTPUT for other in request.beside)
    return "" if apart else "beside"

"""What an Apply node would do with the widgets as they stand: JSON in, JSON out, by the code that runs it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain

from ...cache_core import MODULES, OUTPUT, CacheError, ConfigError, Kind, Run, Table, Timeline
from ...cache_core.errors import brief
from ...cache_core.plan import MIN_STEPS, check_together, outlook
from ...cache_core.schedule import changed, differences, format_edits, format_steps, parse_edits
from ...cache_core.settings import CUSTOM, ABSettings, FEBSettings, ab, feb
from ...cache_core.settings.presets import AUTO, resolve
from ...cache_core.settings.saved import ComputedSettings, SavedPlanSettings
from ...cache_core.show import timeline as view
from ...cache_core.store import megabytes
from ..comfy import plan_folder, sampling
from ..comfy.learning import computed_steps, learnable
from .last_runs import Facts, Known
from .sigmas import Described, timeline_of


class RequestError(CacheError, ValueError):
    """The request itself is malformed; the page has none such."""


SETTINGS = {"FEBCacheApply": (FEBSettings, feb), "ABCacheApply": (ABSettings, ab)}
KINDS = {"FEBCacheApply": MODULES, "ABCacheApply": OUTPUT}
MOST_BESIDE = 8  # other Apply nodes
BESIDES = {"FEBCacheApply": {"memory": 0.0}, "ABCacheApply": {"learn": True}}  # widgets that are no part of a preset


@dataclass(frozen=True)
class Node:
    """An Apply node as the page describes it. `plan`: null, or what is known of the plan that it is given."""

    cls: str
    widgets: dict[str, object]
    plan: object = None


def preview(asked: object, known: Known) -> dict:
    """The timeline of the node that `asked` describes, `known` being what its last run has shown. Raises
    RequestError for a malformed request, and ConfigError for widgets that cannot be run.

    `asked`: `class`, `widgets` by name, `plan` (null, or the `name` of a plan file, empty for one that another node
    makes), `beside` (a list of the same for the other Apply nodes on the way of the model), `sampling` as in
    `sigmas.Described`, and `edit` (null, or `kind`, `steps` and whether to `compute` them). The answer to an edit
    also has the `widgets` to write.
    """
    asked = _object(asked, "The request")
    node, beside = (
        _node(asked),
        [_node(_object(other, "beside")) for other in _list(asked.get("beside") or [], "beside")],
    )
    described = _described(_object(asked.get("sampling") or {}, "sampling"))
    last = known.facts
    if last and not asked.get("sampling"):  # the page finds no sampler
        described = Described(last.timeline.steps)
    timeline, exact = timeline_of(described, last and last.model_sampling, last and last.timeline)
    fixed, written = _fixed(node, beside, timeline), {}
    if asked.get("edit") is not None and not fixed:
        settings, _ = _settled(node, described, timeline, last)
        written = _edited(
            node, timeline, Run((settings.plan(timeline),), timeline).table, _object(asked["edit"], "edit")
        )
        node = replace(node, widgets={**node.widgets, **written})
    answer = _shown(node, beside, timeline, described, last)
    return {**answer, "exact": exact, "editable": not fixed, "fixed": fixed, "widgets": written}


def _fixed(node: Node, beside: Sequence[Node], timeline: Timeline) -> str:
    """Why single steps cannot be changed; empty where they can."""
    if node.plan:
        return "The plan says what each step does, so steps cannot be changed here."
    if timeline.steps < MIN_STEPS:
        return f"Steps cannot be changed: fewer than {MIN_STEPS} are all computed."
    if node.cls == "FEBCacheApply" and any(other.cls == "ABCacheApply" for other in beside):
        return (
            "Steps cannot be changed here while AB-Cache is on this model, too: FEB-Cache, and its edited_steps, "
            "count only the steps at which "
            "the model runs."
        )
    return ""


# What is asked --------------------------------------------------------------------------------------------------------


def _object(given: object, name: str) -> Mapping:
    if not isinstance(given, dict):
        raise RequestError(f"{name} is {type(given).__name__}; it must be an object.")
    return given


def _list(given: object, name: str) -> list:
    if not isinstance(given, list) or len(given) > MOST_BESIDE:
        raise RequestError(f"{name} is {brief(repr(given))}; it must be a list of {MOST_BESIDE} at most.")
    return given


def _node(asked: Mapping) -> Node:
    cls = _class(asked.get("class"))
    return Node(cls, _widgets(cls, asked), asked.get("plan"))


def _class(name: object) -> str:
    if not isinstance(name, str) or name not in SETTINGS:
        raise RequestError(f"class is {brief(repr(name))}; it must be one of {', '.join(SETTINGS)}.")
    return name


def _like(name: str, value: object, example: object) -> object:
    """`value`, if it is of the kind of `example`. Raises RequestError."""
    kind = type(example)
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        return float(value)
    if type(value) is not kind and not (kind is int and type(value) is float and value.is_integer()):
        raise RequestError(f"{name} is {brief(repr(value))}; it must be a {kind.__name__}.")
    return kind(value)


def _widgets(cls: str, asked: Mapping) -> dict[str, object]:
    """The node's widgets by name, each of its own type. What the page shows beside them is left out."""
    examples = {**SETTINGS[cls][1].DEFAULTS, **BESIDES[cls], "preset": AUTO}
    given = _object(asked.get("widgets") or {}, "widgets")
    return {name: _like(name, value, examples[name]) for name, value in given.items() if name in examples}


def _described(given: Mapping) -> Described:
    examples = {field.name: field.default for field in fields(Described)}
    return Described(**{name: _like(name, value, examples[name]) for name, value in given.items() if name in examples})


# What comes of it -----------------------------------------------------------------------------------------------------


def _widget_settings(node: Node) -> ABSettings | FEBSettings:
    values = {name: value for name, value in node.widgets.items() if name != "preset"}
    return SETTINGS[node.cls][0].of(node.widgets.get("preset", AUTO), values)


def _settled(node: Node, described: Described, timeline: Timeline, last: Facts | None) -> tuple[object, list[str]]:
    """What the next run goes by, and what else to say of it."""
    if node.plan:
        return _planned(node, last)
    settings = _widget_settings(node)
    if not settings.learns or not learnable(timeline.steps, described.sampler):
        return settings, []
    count = computed_steps(timeline.steps, settings.learns)
    learned = last and last.learned
    if learned and learned.schedule.matches(timeline) and len(learned.table.computed(Kind.MODEL)) == count:
        return SavedPlanSettings(f"{settings.name}, learned", learned, learned=True), [_drift(learned.drift)]
    rate = f"{timeline.steps / count:.1f}x"
    return ComputedSettings(f"{settings.name}, recording"), [
        f"learn: the first picture of a model, size and sampler computes every step; those after it about {count} of "
        f"{timeline.steps} ({rate})"
    ]


def _planned(node: Node, last: Facts | None) -> tuple[SavedPlanSettings, list[str]]:
    name = _like("name", _object(node.plan, "plan").get("name", ""), "")
    seen = next((plan for plan in last.given if plan.table.kinds <= KINDS[node.cls]), None) if last else None
    given = plan_folder.read(name) if name else seen
    if given is None:
        raise ConfigError("The plan comes from another node, and is known here once this node has run with it.")
    return SavedPlanSettings("plan", given), [_drift(given.drift)]


def _drift(drift: float | None) -> str:
    return "drift not measured" if drift is None else f"drift {drift:.4f} (relative L2 to the uncached picture)"


def _shown(node: Node, beside: Sequence[Node], timeline: Timeline, described: Described, last: Facts | None) -> dict:
    """The plan as the run makes it of all Apply nodes, and of it what is this node's."""
    settled, said = zip(*(_settled(one, described, timeline, last) for one in (node, *beside)), strict=True)
    check_together(tuple(s.plan(timeline) for s in settled))
    recorded = tuple(
        s for s in settled if isinstance(s, ComputedSettings)
    )  # a run that is learned from caches nothing at all
    plans = tuple(s.plan(timeline) for s in recorded or settled)
    run = Run(plans, timeline)
    if sampling.noisy_name(described.sampler):
        run.reuse(f"{described.sampler} adds new noise at each step, by its name")
    rate, priced = _rate(run, last)
    size = _bytes(run, last)
    promises = [
        _promise(run, rate, priced),
        "" if size is None else f"cache {megabytes(size)}, by the last run",
        *chain(*said),
    ]
    name = " + ".join(s.name for s in recorded or settled)
    return {
        "name": name,
        "steps": timeline.steps,
        "cells": _cells_of(node, settled[0], run),
        "boundary": view.boundary(run),
        "scale": view.noise_scale(run),
        "rate": rate,
        "bytes": size,
        "lines": [f"{name}: {outlook(run.plans, run.table)}", "; ".join(filter(None, promises)), *run.notes],
    }


def _cells_of(node: Node, settings: object, run: Run) -> view.Cells:
    """Of the run's cells those of the kinds that this node caches; where the run caches none of them, they are computed."""
    own, cells = sorted(KINDS[node.cls], key=list(Kind).index), view.planned(run)
    if isinstance(settings, SavedPlanSettings):
        own = [kind for kind in own if kind in settings.given.table.kinds]
    return {kind.value: cells.get(kind.value, [view.COMPUTED] * run.timeline.steps) for kind in own}


def _rate(run: Run, last: Facts | None) -> tuple[float | None, bool]:
    """The predicted speed-up, None where the run decides, and whether it is by measured seconds."""
    if any(plan.adaptive for plan in run.plans):
        return None, False
    priced = view.priced_rate(run.table, last.prices) if last else None
    return (view.counted_rate(run.table), False) if priced is None else (priced, True)


def _promise(run: Run, rate: float | None, priced: bool) -> str:
    if rate is None:
        return "speed-up decided in the run"
    return f"about {rate:.2f}x, by the seconds of the last run" if priced else f"at most {rate:.2f}x, counting calls"


def _bytes(run: Run, last: Facts | None) -> int | None:
    """The bytes the cache will take, from what the last run kept; None where that was kept in another form, or of
    other kinds."""
    if last is None or run.store.rung != last.memory.rung or run.table.states() != last.memory.states:
        return None
    return round(last.memory.bytes * max(plan.predictor.order for plan in run.plans) / last.memory.order)


# Edits ----------------------------------------------------------------------------------------------------------------


def _edited(node: Node, timeline: Timeline, table: Table, edit: Mapping) -> dict[str, object]:
    """The widgets that make the table what it is now, but for the cells of `edit`: the preset is custom from then on."""
    wanted = changed(table, _touched(edit, table))
    widgets, module = node.widgets, SETTINGS[node.cls][1]
    others = {name: value for name, value in widgets.items() if name in module.DEFAULTS}
    values = resolve(module.PRESETS, module.DEFAULTS, widgets.get("preset", AUTO), {**module.DEFAULTS, **others})[1]
    if node.cls == "ABCacheApply":
        return {**values, "preset": CUSTOM, "computed_steps": format_steps(wanted.computed(Kind.MODEL))}
    base = FEBSettings.of(CUSTOM, {**values, "edited_steps": ""}).plan(timeline).schedule.table(timeline)
    beyond = {cell: to for cell, to in parse_edits(values["edited_steps"]).items() if cell[0] >= timeline.steps}
    return {**values, "preset": CUSTOM, "edited_steps": format_edits({**differences(base, wanted), **beyond})}


def _touched(edit: Mapping, table: Table) -> dict[tuple[int, Kind], bool]:
    kinds = {kind.value: kind for kind in (*MODULES, Kind.MODEL) if kind in table.kinds}
    name, steps, compute = edit.get("kind"), edit.get("steps"), edit.get("compute")
    if str(name) not in kinds or not isinstance(compute, bool):
        raise RequestError(
            f"edit has kind {brief(repr(name))} and compute {brief(repr(compute))}; kind must be one of "
            f"{', '.join(kinds)}, and compute true or false."
        )
    if not isinstance(steps, list) or not all(type(step) is int and 0 <= step < len(table.rows) for step in steps):
        given = brief(repr(steps))
        raise RequestError(f"edit has steps {given}; it must be a list of steps from 0 to {len(table.rows) - 1}.")
    return {(step, kinds[str(name)]): compute for step in steps}

"""Requests of the page for a preview: what may be asked, and its limits."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from ...cache_core import OUTPUT, CacheError, Kind, Table
from ...cache_core.errors import brief
from ...cache_core.plan import MOST_STEPS
from ...cache_core.settings import ABSettings, FEBSettings, WidgetSettings
from ...cache_core.settings.method import MethodSettings
from ...cache_core.settings.presets import AUTO, OFF
from ...cache_core.site import MODULES
from .scene import Scene
from .sigmas import Described

SETTINGS: dict[str, type[WidgetSettings]] = {"FEBCacheApply": FEBSettings, "ABCacheApply": ABSettings}
METHOD = "CacheMethod"
OF_METHOD = {"method": "", "strength": 0.5, "curves": "", "threshold": 0.0, "memory": 0.0} | {
    "start_percent": 0.0,
    "end_percent": 1.0,
    "enabled": True,
    "schedule": "",
}  # its widgets
LARGEST = 2**16  # bytes of a request
MOST_BESIDE = 8  # other Apply nodes


class RequestError(CacheError, ValueError):
    """A malformed request; the page sends none."""


@dataclass(frozen=True)
class Node:
    """An Apply node as the page describes it. `kind`: the class of its settings. `plan`: None, or the name of the plan
    file that it is given, empty for a plan of another node."""

    kind: type[WidgetSettings]
    widgets: dict[str, Any]
    plan: str | None = None

    @property
    def off(self) -> bool:
        """True if the node is switched off, whatever plan it is given."""
        return self.widgets.get("preset") == OFF

    @property
    def title(self) -> str:
        """The name of what the node caches by."""
        return self.kind.title

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds that the node caches."""
        return self.kind.kinds

    def settings(self) -> WidgetSettings:
        """Settings of the widgets. Raises ConfigError for widgets that cannot be run."""
        values = {name: value for name, value in self.widgets.items() if name != "preset"}
        return self.kind.of(self.widgets.get("preset", AUTO), values)

    def changed(self, widgets: Mapping[str, Any]) -> Node:
        """The node with these widgets in place of its own."""
        return replace(self, widgets={**self.widgets, **widgets})


@dataclass(frozen=True)
class MethodNode:
    """Cache Method as the page describes it. `inside`: True where the model's blocks are reused, as far as is known."""

    widgets: dict[str, Any]
    inside: bool = True
    title: ClassVar[str] = "Cache Method"
    plan: ClassVar[None] = None

    @property
    def off(self) -> bool:
        """True if the node is switched off."""
        return not self.widgets.get("enabled", True)

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds that the node caches."""
        return MODULES if self.inside else OUTPUT

    def settings(self, **known: Any) -> MethodSettings:
        """Settings of the widgets, and what is `known` of the model. Raises ConfigError for widgets that cannot be
        run."""
        values = {name: value for name, value in self.widgets.items() if name != "enabled"}
        return MethodSettings(**{"method": "", **values, "inside": self.inside, **known})


AnyNode = Node | MethodNode


@dataclass(frozen=True)
class Request:
    """`beside`: the other Apply nodes on the way of the model, none that is off. `sampling`: None where the page finds
    no steps. `edit`: cells of the timeline to change, not yet checked against a table (`cells_of`); None for none."""

    node: AnyNode
    beside: tuple[AnyNode, ...]
    sampling: Described | None
    edit: Mapping[str, Any] | None
    scene: Scene = Scene()


def parsed(asked: object) -> Request:
    """The request in a JSON value. Raises RequestError for a malformed one, and ConfigError for a sampling that has no
    preview.

    `class`, `widgets` by name, `plan` (null, or the `name` of a plan file, empty for a plan of another node), `beside`
    (a list of the same for the other Apply nodes), `sampling` as in `Described`, `scene` as in `Scene`, and `edit`
    (null, or `kind`, `steps` and whether to `compute` them).
    """
    given = _object(asked, "The request")
    node = _node(given)
    others = tuple(_node(_object(other, "beside")) for other in _list(given.get("beside") or [], "beside"))
    beside = tuple(other for other in others if not other.off)
    described, edit = _described(_object(given.get("sampling") or {}, "sampling")), given.get("edit")
    scene = Scene(**_known(_object(given.get("scene") or {}, "scene"), vars(Scene())))
    return Request(node, beside, described, None if edit is None else _object(edit, "edit"), scene)


def cells_of(edit: Mapping[str, Any], table: Table) -> dict[tuple[int, Kind], bool]:
    """The cells (step, kind) that an edit names, each with True if it is to be computed. Raises RequestError for cells
    that `table` does not have."""
    kinds = {kind.value: kind for kind in Kind if kind in table.kinds}
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


def _object(given: object, name: str) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise RequestError(f"{name} is {type(given).__name__}; it must be an object.")
    return given


def _list(given: object, name: str) -> list:
    if not isinstance(given, list) or len(given) > MOST_BESIDE:
        raise RequestError(f"{name} is {brief(repr(given))}; it must be a list of {MOST_BESIDE} at most.")
    return given


def _node(asked: Mapping[str, Any]) -> AnyNode:
    name, plan = asked.get("class"), asked.get("plan")
    if name == METHOD:
        return MethodNode(_known(_object(asked.get("widgets") or {}, "widgets"), OF_METHOD))
    if not isinstance(name, str) or name not in SETTINGS:
        raise RequestError(f"class is {brief(repr(name))}; it must be one of {', '.join((*SETTINGS, METHOD))}.")
    kind = SETTINGS[name]
    widgets = _known(_object(asked.get("widgets") or {}, "widgets"), {**kind.defaults, **kind.beside, "preset": AUTO})
    return Node(kind, widgets, _like("name", _object(plan, "plan").get("name", ""), "") if plan else None)


def _described(given: Mapping[str, Any]) -> Described | None:
    """The sampling that the page describes; None where it says nothing of it, or only that nobody knows its steps."""
    known = _known(given, {field.name: field.default for field in fields(Described) if field.name != "sigmas"})
    if "sigmas" in given:
        known["sigmas"] = _sigmas(given["sigmas"])
    return Described(**known) if known else None


def _sigmas(given: object) -> tuple[float, ...]:
    if not isinstance(given, list) or len(given) > MOST_STEPS + 1:
        raise RequestError(f"sigmas is {brief(repr(given))}; it must be a list of {MOST_STEPS + 1} numbers at most.")
    return tuple(_like("sigmas", sigma, 0.0) for sigma in given)


def _known(given: Mapping[str, Any], examples: Mapping[str, Any]) -> dict[str, Any]:
    """The values that have an example, each of its type; others are left out."""
    return {name: _like(name, value, examples[name]) for name, value in given.items() if name in examples}


def _like(name: str, value: Any, example: Any) -> Any:
    """`value` as the type of `example`. Raises RequestError for a value of another type."""
    kind = type(example)
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        return float(value)
    if type(value) is not kind and not (kind is int and type(value) is float and value.is_integer()):
        raise RequestError(f"{name} is {brief(repr(value))}; it must be a {kind.__name__}.")
    return kind(value)

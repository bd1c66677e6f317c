"""Workflows as ComfyUI's page saves them, made into what it queues (API format), by the definitions of the nodes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .errors import InputError

Prompt = dict[str, dict[str, Any]]  # API format: by node id, `class_type` and `inputs`
NEVER, BYPASSED = 2, 4  # modes of nodes
VIRTUAL = ("Reroute", "PrimitiveNode", "Note", "MarkdownNote")  # nodes of the page alone
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
DYNAMIC = "COMFY_DYNAMICCOMBO_V3"  # a menu whose choices bring inputs of their own
INPUT, OUTPUT = -10, -20  # ids of a subgraph's own ends
SEEDS = ("seed", "noise_seed")


@dataclass(frozen=True)
class Definition:
    """A node class: its inputs by name, in the page's order, as ComfyUI specifies them, and the types of its
    outputs."""

    inputs: Mapping[str, Any]
    outputs: tuple[str, ...]


Define = Callable[[str], "Definition | None"]  # the definition of a class; None where there is no such class


@dataclass(frozen=True)
class Given:
    """A value in place of a link."""

    value: Any


@dataclass
class Level:
    """The nodes and links of a workflow, or of a subgraph in it. `links`: origin and its slot, by id; `ends`: links
    of the subgraph's outputs, by slot; `prefix`: of the ids of its nodes; `inputs`: names of the subgraph's inputs;
    `outer`, `instance`: where it is used; `shown`: values of inputs that are widgets there."""

    nodes: dict[Any, dict]
    links: dict[Any, tuple[Any, int]]
    ends: dict[int, Any]
    prefix: str = ""
    inputs: list[str] = field(default_factory=list)
    outer: "Level | None" = None
    instance: dict = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)


def is_api(workflow: Any) -> bool:
    """True for a workflow in API format."""
    return isinstance(workflow, dict) and all(isinstance(n, dict) and "class_type" in n for n in workflow.values())


def converted(workflow: Mapping[str, Any], define: Define) -> Prompt:
    """The workflow in API format. Raises InputError for what is no workflow."""
    if not isinstance(workflow, Mapping) or not isinstance(workflow.get("nodes"), list):
        raise InputError("this is no workflow of ComfyUI: it has neither nodes nor class types")
    try:
        subgraphs = {s["id"]: s for s in workflow.get("definitions", {}).get("subgraphs", [])}
        return dict(_Converter(subgraphs, define).emitted(_level(workflow)))
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"this workflow is damaged ({type(error).__name__}: {error})") from error


def _level(graph: Mapping[str, Any], **place: Any) -> Level:
    links, ends = {}, {}
    for link in graph.get("links", []):
        number, origin, slot, target, at = (
            (link[key] for key in ("id", "origin_id", "origin_slot", "target_id", "target_slot"))
            if isinstance(link, dict)
            else link[:5]
        )
        links[number] = origin, slot
        if target == OUTPUT:
            ends[at] = number
    return Level({node["id"]: node for node in graph["nodes"]}, links, ends, **place)


@dataclass(frozen=True)
class _Converter:
    subgraphs: Mapping[str, Any]
    define: Define

    def emitted(self, level: Level) -> Iterator[tuple[str, dict]]:
        """The nodes that ComfyUI runs, with their ids."""
        for key, node in level.nodes.items():
            if node.get("mode", 0) in (NEVER, BYPASSED) or node["type"] in VIRTUAL:
                continue
            if node["type"] in self.subgraphs:
                yield from self.emitted(self._inside(level, node))
            else:
                yield f"{level.prefix}{key}", {"class_type": node["type"], "inputs": self._inputs(level, node)}

    def _inside(self, level: Level, node: dict) -> Level:
        graph = self.subgraphs[node["type"]]
        names = [each["name"] for each in graph.get("inputs", [])]
        prefix = f"{level.prefix}{node['id']}:"
        inner = _level(graph, prefix=prefix, inputs=names, outer=level, instance=node)
        shown, values = node.get("properties", {}).get("proxyWidgets", []), node.get("widgets_values") or []
        widgets = [name for slot, name in enumerate(names) if _is_shown(graph, slot)]
        if not shown and len(widgets) == len(values):  # what the subgraph shows outside counts
            inner.shown = dict(zip(widgets, values, strict=True))
        if len(shown) == len(values):  # as older front ends save it
            for (owner, name), value in zip(shown, values, strict=True):
                own = next((n for key, n in inner.nodes.items() if str(key) == str(owner)), None)
                if own is not None and value is not None:
                    inner.nodes[own["id"]] = {**own, "shown": {**own.get("shown", {}), name: value}}
        return inner

    def _inputs(self, level: Level, node: dict) -> dict[str, Any]:
        definition = self.define(node["type"])
        found = {} if definition is None else widget_values(definition.inputs, node.get("widgets_values") or [])
        found |= {name: value for name, value in node.get("shown", {}).items() if name in found}
        for given in node.get("inputs", []):
            source = None if given.get("link") is None else self._source(level, given["link"])
            if source is not None:
                found[given["name"]] = source.value if isinstance(source, Given) else source
        return found

    def _source(self, level: Level, link: Any) -> "Given | list | None":
        """Where a link comes from, as `[id, slot]`, or its value; None where it comes from nothing that runs."""
        origin, slot = level.links.get(link, (None, 0))
        if origin == INPUT:
            return self._outside(level, slot)
        node = level.nodes.get(origin)
        if node is None or node.get("mode", 0) == NEVER:
            return None
        if node.get("mode", 0) == BYPASSED:
            return self._linked(level, _bypass(node, slot))
        if node["type"] == "Reroute":
            return self._linked(level, node["inputs"][0])
        if node["type"] == "PrimitiveNode":
            return Given(node["widgets_values"][0])
        if node["type"] in self.subgraphs:
            inner = self._inside(level, node)
            return self._source(inner, inner.ends.get(slot))
        return [f"{level.prefix}{origin}", slot]

    def _outside(self, level: Level, slot: int) -> "Given | list | None":
        name = level.inputs[slot]
        own = next((each for each in level.instance.get("inputs", []) if each["name"] == name), {})
        found = self._linked(level.outer, own) if level.outer else None
        if found is None and level.shown.get(name) is not None:
            return Given(level.shown[name])
        return self._beside(level, slot) if found is None else found

    def _beside(self, level: Level, slot: int) -> "Given | None":
        """The value of the widget that an unlinked input of a subgraph leads to: its sockets get it, too."""
        for node, given in _targets(self.subgraphs[level.instance["type"]], slot):
            definition = self.define(node["type"])
            if definition and "widget" in given:
                own = level.nodes[node["id"]]
                values = widget_values(definition.inputs, own.get("widgets_values") or []) | own.get("shown", {})
                return Given(values[given["name"]]) if given["name"] in values else None
        return None

    def _linked(self, level: Level, given: Mapping[str, Any]) -> "Given | list | None":
        return None if given.get("link") is None else self._source(level, given["link"])


def _is_shown(graph: Mapping[str, Any], slot: int) -> bool:
    """True for an input of a subgraph that leads to a widget."""
    return any("widget" in given for _, given in _targets(graph, slot))


def _targets(graph: Mapping[str, Any], slot: int) -> Iterator[tuple[dict, dict]]:
    """The nodes that an input of a subgraph leads to, each with its own input."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    for link in graph.get("links", []):
        if (link["origin_id"], link["origin_slot"]) == (INPUT, slot) and link["target_id"] in nodes:
            yield nodes[link["target_id"]], nodes[link["target_id"]]["inputs"][link["target_slot"]]


def _bypass(node: dict, slot: int) -> Mapping[str, Any]:
    """The input that a bypassed node hands through to its output `slot`: of the same type, in the same place if there
    is one."""
    wanted, inputs = node["outputs"][slot]["type"], node.get("inputs", [])
    same = [given for given in inputs if given["type"] == wanted]
    return inputs[slot] if slot < len(inputs) and inputs[slot] in same else same[0] if same else {}


def widget_values(inputs: Mapping[str, Any], values: Any) -> dict[str, Any]:
    """The values of a node's widgets, by name. A list has them in the page's order; missing ones show their
    defaults."""
    return dict(_by_name(inputs, values) if isinstance(values, dict) else _in_order(inputs, iter(values), ""))


def _by_name(inputs: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, spec in inputs.items():
        if is_widget(spec):
            yield name, values.get(name, default_of(spec))


def _in_order(inputs: Mapping[str, Any], values: Iterator[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, spec in inputs.items():
        if not is_widget(spec):
            continue
        value = next(values, default_of(spec))
        yield prefix + name, value
        if spec[0] == DYNAMIC:
            chosen = next((each for each in spec[1]["options"] if each["key"] == value), {"inputs": {}})
            parts = chosen["inputs"]
            yield from _in_order({**parts.get("required", {}), **parts.get("optional", {})}, values, f"{name}.")
        if has_control(prefix + name, spec):
            next(values, None)


def options_of(spec: Any) -> Mapping[str, Any]:
    """The options of an input's specification."""
    return spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}


def is_widget(spec: Any) -> bool:
    """True for an input that the page shows as a widget."""
    menu = isinstance(spec[0], list | tuple)
    kind = options_of(spec).get("widgetType", spec[0])
    return (menu or kind in (*WIDGETS, DYNAMIC)) and not options_of(spec).get("forceInput")


def has_control(name: str, spec: Any) -> bool:
    """True for a widget behind which the page saves what happens to its value after a run."""
    return bool(options_of(spec).get("control_after_generate", spec[0] == "INT" and name in SEEDS))


def default_of(spec: Any) -> Any:
    """The value that a widget shows at first."""
    options = options_of(spec)
    menu = spec[0] if isinstance(spec[0], list | tuple) else options.get("options", [])
    if "default" in options or not menu:
        return options.get("default", {"INT": 0, "FLOAT": 0.0, "BOOLEAN": False}.get(str(spec[0]), ""))
    first = menu[0]
    return first["key"] if isinstance(first, Mapping) else first


def fresh_id(prompt: Mapping[str, Any], start: str) -> str:
    """An id that no node of the prompt has."""
    return next(key for number in count(1) if (key := f"{start}{number}") not in prompt)

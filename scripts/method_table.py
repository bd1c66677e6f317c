"""The table of docs/METHODS.md: each method, what it does, its threshold, and the models that it is as released for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cache_core.methods import Method, Variant

STEPS = 28
STRANGER = "a model of nobody"  # for which nothing can be published


def table() -> str:
    """The methods in the order of the node's list."""
    from cache_core.methods import METHODS

    head = "| method | what it does | its threshold | as released | for | learned | source |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *map(row, METHODS.values())])


def row(method: Method) -> str:
    """A method's row."""
    of = method.threshold
    span = f"`{of.name}`, {of.least:g} to {of.most:g}"
    learned = "yes" if method.curves else "needs no curves"
    cells = (method.name, method.summary, span, f"{of.default:g}", released_for(method), learned, method.source)
    return f"| {' | '.join(cells)} |"


def released_for(method: Method) -> str:
    """The models that a method needs no recorded picture for, by the classes that ComfyUI has of them."""
    from cache_core.methods import Variant

    if allows(method, Variant(STRANGER)):
        return "any model"
    names = dict.fromkeys(variant.name for variant in variants() if allows(method, variant))
    return ", ".join(names) or "no model"


def allows(method: Method, variant: Variant) -> bool:
    """True if a method takes a model without a recorded picture."""
    from cache_core.methods import Sampling
    from cache_core.timeline import Timeline

    return not method.refusal(Sampling(Timeline.even(STEPS), variant))


def variants() -> list[Variant]:
    """A variant of each class that a host or a published figure names."""
    from cache_core.hosts import HOSTS
    from cache_core.methods import Variant
    from cache_core.methods.published import published

    listed = [entry for value in published().values() if isinstance(value, list) for entry in value]
    known = [entry for entry in listed if isinstance(entry, dict) and "class" in entry]
    of_figures = [Variant(entry["class"], entry.get("width", 0), entry.get("channels", 0)) for entry in known]
    of_hosts = [Variant(name) for host in HOSTS for name in host.classes]
    return [*dict.fromkeys([*of_figures, *of_hosts, Variant("UNetModel", lists=(("input_blocks", 12),))])]

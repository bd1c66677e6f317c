"""Objects beside tensors that a call can reach, and whether the call has changed them: a second call would differ."""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from inspect import isfunction, ismethod, ismodule
from typing import Any

from torch import Tensor, nn

DEPTH = 5  # of things in things: a patch, its attributes, a cache among them, an entry of it, what is in that
CONTAINERS = (list, tuple, set, deque)
ELSEWHERE = ("wrappers", "callbacks")  # transformer options that run around the model's call, not in it


class Held:
    """The present contents of all objects in `named` that can hold others. Tensors and modules are not looked into.

    `objects`: look also into the attributes and closures of patches, not only into containers.
    """

    def __init__(self, named: Iterable[tuple[str, object]], objects: bool = True):
        self.objects = objects
        self.known: dict[int, tuple[str, object, tuple]] = {}
        for name, value in named:
            self._look(name, value, DEPTH)

    def changed(self) -> Iterator[tuple[str, object]]:
        """Name and holder of each object with contents put in, taken out or replaced since."""
        return (
            (name, holder)
            for name, holder, before in self.known.values()
            if not same(before, self._members(holder) or ())
        )

    def _look(self, name: str, value: object, depth: int) -> None:
        members = self._members(value)
        if members is None or id(value) in self.known:
            return
        self.known[id(value)] = (name, value, members)
        for member in members if depth else ():
            self._look(name, member, depth - 1)

    def _members(self, value: object) -> tuple | None:
        """Objects in `value`; None if it cannot hold anything, or is not to be looked into."""
        if isinstance(value, dict):
            return (*value.keys(), *value.values())
        if isinstance(value, CONTAINERS):
            return tuple(value)
        return of_object(value) if self.objects else None


def of_object(value: object) -> tuple | None:
    """Objects that a function, a bound method or an object holds on to; None for tensors, modules, and managers of a
    model."""
    if isfunction(value):
        cells = (thing for cell in value.__closure__ or () for thing in within(cell))
        return (*cells, *(value.__defaults__ or ()), *vars(value).values())
    if ismethod(value):
        return (value.__self__,)
    if isinstance(value, partial):
        return (value.func, value.args, value.keywords)
    if isinstance(value, Tensor | nn.Module | type) or ismodule(value) or not hasattr(value, "__dict__"):
        return None
    return None if isinstance(vars(value).get("model"), nn.Module) else tuple(vars(value).values())


def within(cell: Any) -> list[object]:
    """A closure's variable; nothing if it has no value yet."""
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


def same(before: tuple, after: tuple) -> bool:
    """True if nothing has been exchanged. Numbers and texts count by their value, all else by identity."""
    plain = (bool, int, float, str, type(None))
    return len(before) == len(after) and all(
        a is b or (type(a) is type(b) and type(a) in plain and a == b) for a, b in zip(before, after, strict=True)
    )


def of_call(args: tuple, kwargs: dict) -> Held:
    """Contents of everything that a block can reach in a call with these arguments: each of them, and each of its
    transformer options."""
    options = kwargs.get("transformer_options")
    named = [(f"argument {i}", value) for i, value in enumerate(args)]
    named += [(f"argument {name}", value) for name, value in kwargs.items() if value is not options]
    for name, value in options.items() if isinstance(options, dict) else ():
        if name in ("patches", "patches_replace"):
            named += sorted_patches(value)
        elif name not in ELSEWHERE:
            named.append((name, value))
    return Held(named)


def sorted_patches(groups: object) -> list[tuple[str, object]]:
    """The patches by the name of their kind, to name the one that keeps something."""
    return list(groups.items()) if isinstance(groups, dict) else []

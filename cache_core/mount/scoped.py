"""Forwards that are replaced for the length of one model call."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

Forward = Callable[..., Any]  # of a block or layer of another project
_ABSENT = object()


@contextmanager
def overridden(forwards: Iterable[tuple[nn.Module, Forward]]) -> Iterator[None]:
    """Each module answers with its given forward inside the context and with its own one after it, whatever happens.

    The forward is set on the instance, past `nn.Module.__setattr__`, so neither the class nor the state dict changes.
    """
    before = []
    try:
        for module, forward in forwards:
            before.append((module, module.__dict__.get("forward", _ABSENT)))
            module.__dict__["forward"] = forward
        yield
    finally:
        for module, forward in reversed(before):
            if forward is _ABSENT:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = forward

"""Turns: one thread at a time calls a model, because its blocks answer with the values of the run that calls."""

from __future__ import annotations

from threading import Lock, RLock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_making = Lock()
_turns: WeakKeyDictionary = WeakKeyDictionary()  # by module: one lock each, as long as the module lives


def turn(module) -> AbstractContextManager:
    """The context in which this thread alone calls `module`; a call within a call has the turn already. The copy of a
    model on another device is another module."""
    with _making:
        return _turns.setdefault(module, RLock())

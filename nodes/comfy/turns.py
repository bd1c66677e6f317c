"""Turns: a model is called by one thread at a time. While a call of ours is underway its blocks answer with that
run's values."""

from __future__ import annotations

from threading import Lock, RLock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_making = Lock()
_turns: WeakKeyDictionary = WeakKeyDictionary()  # by module: one lock each, as long as the module lives


def turn(module) -> AbstractContextManager:
    """The context in which this thread alone calls `module`. Another device's copy of a model is another module; a
    call within a call has the turn already."""
    with _making:
        return _turns.setdefault(module, RLock())

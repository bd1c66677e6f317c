"""Models that remember: a call leaves in what it is handed what later calls need, such as the keys and values of
earlier frames.

A predicted step makes no call, so it would leave nothing: such a sampling is not cached. It is told by what the call
is handed and does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from ...cache_core.mount.state import Held

HANDED = (
    "ar_state",
    "kv_cache",
    "kv_caches",
    "past_key_values",
    "memory_bank",
    "streaming_state",
)  # options that are such memories by name
OTHERS = (
    "patches",
    "patches_replace",
    "wrappers",
    "callbacks",
)  # options that are of other packs, and looked at elsewhere


def observed(options: dict, call: Callable[[], object], tell: Callable[[str], None]) -> object:
    """What `call`, a model call with these transformer options, returns; `tell` hears the name of an option in which
    it remembers."""
    held = Held(((name, value) for name, value in options.items() if name not in OTHERS), objects=False)
    out = call()
    for name in (*(name for name in HANDED if name in options), *_written(held)):
        tell(name)
        break
    return out


def _written(held: Held) -> Iterator[str]:
    """The options in which something that holds tensors has been written to."""
    for name, holder in held.changed():
        if any(isinstance(value, Tensor) for value in (holder.values() if isinstance(holder, dict) else holder)):
            yield name

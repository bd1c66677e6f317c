"""Models that remember: a call leaves something in its transformer options that later calls need, such as the keys and
values of earlier frames. A predicted step makes no call and would leave nothing, so such a sampling is not cached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from torch import Tensor

from ...cache_core.mount.state import Held

# options that are such memories by name
MEMORIES = ("ar_state", "kv_cache", "kv_caches", "past_key_values", "memory_bank", "streaming_state")
OTHERS = ("patches", "patches_replace", "wrappers", "callbacks")  # options of other packs, looked at elsewhere


def observed(options: dict, call: Callable[[], object], tell: Callable[[str], None]) -> object:
    """The output of `call`, a model call with these transformer options. `tell` gets the name of an option in which the
    model remembers, if there is one."""
    held = Held(((name, value) for name, value in options.items() if name not in OTHERS), objects=False)
    out = call()
    name = next(chain((name for name in MEMORIES if name in options), _written(held)), None)
    if name is not None:
        tell(name)
    return out


def _written(held: Held) -> Iterator[str]:
    """Names of the options in which a list or dict with tensors has been written to."""
    holder: Any
    for name, holder in held.changed():
        if any(isinstance(value, Tensor) for value in (holder.values() if isinstance(holder, dict) else holder)):
            yield name

"""ComfyUI's own model compiler and dynamic VRAM (0.34 and later), kept from spoiling a cache. Where ComfyUI lacks the
functions nothing is done.

The compiler records what a model call allocates and hands out the same memory in the next call; blocks may be
captured into CUDA graphs, and replayed without any Python; weights are fetched from host memory a block ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any

from ...cache_core import Run
from ...cache_core.mount import overridden

SWITCH = "disable_comfy_compiler"  # on the command line; read by each call of a model
PREFETCH = "prefetch_dynamic_vbars"  # transformer option: weights are fetched ahead in this call
CAPTURED = "_v_block"  # attribute of blocks that may be captured: their memory is reserved as a whole

_switching = Lock()
_unrecorded: list[Run] = []  # runs that have switched it off: there is one switch for the samplings of all threads


def _args() -> Any:
    """ComfyUI's command line; None without ComfyUI."""
    try:
        from comfy.cli_args import args
    except ImportError:
        return None
    return args


def outside_recording() -> Callable[[], AbstractContextManager]:
    """A maker of contexts whose allocations are not recorded. They must not be nested: at the end of one recording goes
    on."""
    try:
        from comfy.model_prefetch import pause_malloc_graph
    except ImportError:
        return nullcontext
    return pause_malloc_graph


@contextmanager
def unrecorded(run: Run, device):
    """The context of a sampling that keeps tensors from inside a model call, and skips blocks: nothing is recorded. To
    keep them outside of the recording is not enough: a skipped block changes the pattern that is replayed."""
    args = _args()
    if getattr(args, SWITCH, True) and not _unrecorded:  # off already, or unknown here
        yield
        return
    if _records(device):
        run.note("Comfy Compiler is off for this run: what is kept inside the model would not survive its recording")
    with _switching:
        _unrecorded.append(run)
        setattr(args, SWITCH, True)
    try:
        yield
    finally:
        with _switching:
            _unrecorded.remove(run)
            setattr(args, SWITCH, bool(_unrecorded))


def _records(device) -> bool:
    """True if ComfyUI would record model calls on `device`."""
    try:
        from comfy.model_prefetch import malloc_graph_enabled
    except ImportError:
        return False
    return malloc_graph_enabled(device)


def is_captured(diffusion_model) -> bool:
    """True if blocks of the model may be captured into CUDA graphs: no decision of a step would reach them."""
    return any(getattr(module, CAPTURED, None) is not None for module in diffusion_model.modules())


def without_prefetch(diffusion_model) -> AbstractContextManager[None]:
    """The context of a model call in which no block computes: weights stay where they are. The option is set in
    `forward` because ComfyUI writes it after its wrappers have run."""
    original = diffusion_model.forward

    def forward(*args, **kwargs):
        options = kwargs.get("transformer_options")
        if options and options.get(PREFETCH):
            kwargs["transformer_options"] = {**options, PREFETCH: False}
        return original(*args, **kwargs)

    return overridden([(diffusion_model, forward)])

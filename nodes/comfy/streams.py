"""Which conditioning each row of a batched model call belongs to."""

from collections.abc import Hashable


def of_call(x, context, options: dict) -> tuple[tuple[Hashable, ...], Hashable]:
    """The conditionings of a model call in row order, and what the shapes inside the model depend on, the device not
    among it.

    A conditioning is its uuid and the context window it is evaluated in. ComfyUI batches conditionings, or not, by
    free memory, in either order and on any device; rows are told apart by these alone. `context`: the text, where
    its length matters.
    """
    chunks = options.get("uuids") or options.get("cond_or_uncond") or (0,)
    window = getattr(options.get("context_window"), "index_list", None)
    where = None if window is None else tuple(window)
    rows = x.shape[0] // len(chunks)
    tokens = None if context is None else tuple(context.shape[1:])
    return tuple((chunk, where) for chunk in chunks), (rows, tuple(x.shape[1:]), x.dtype, tokens)

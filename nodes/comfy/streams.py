"""Conditionings of the rows of a batched model call, and modalities of a packed latent."""

from collections.abc import Hashable, Sequence

from ...cache_core.modality import Modalities, modalities_of


def shapes_of(callback=None, disable_pbar=False, seed=None, latent_shapes=(), **others) -> Sequence[Sequence[int]]:
    """Shapes of the latents that are packed in one, from the last arguments of ComfyUI's outer_sample."""
    return tuple(map(tuple, latent_shapes or ()))


def sizes_of(x, shapes: Sequence[Sequence[int]], modalities: Modalities) -> tuple[int, ...]:
    """Sizes of the modalities that the latent `x` `(B, 1, L)` of a call is packed from: of its own `shapes`, which a
    context window has, or else of the sampling's; none where they are not `x`'s."""
    sizes = tuple(modality.size for modality in modalities_of(shapes or ()) or modalities)
    return sizes if len(sizes) > 1 and sum(sizes) == x.shape[-1] else ()


def of_call(x, context, options: dict, model: int | None = None) -> tuple[tuple[Hashable, ...], Hashable]:
    """The conditionings of a model call in row order, and the signature of its shapes: rows of each, `x`'s shape and
    dtype, the text's shape.

    A conditioning is named by its uuid, its context window, and the number of its `model` where a guider has several.
    Nothing else tells rows apart: ComfyUI batches
    conditionings, or not, by free memory, in any order and on any device. `context`: the text `(rows, tokens, ...)`,
    None where its length does not matter.
    """
    chunks = options.get("uuids") or options.get("cond_or_uncond") or (0,)
    window = getattr(options.get("context_window"), "index_list", None)
    where = None if window is None else tuple(window)
    rows = x.shape[0] // len(chunks)
    tokens = None if context is None else tuple(context.shape[1:])
    return tuple((chunk, where, model) for chunk in chunks), (rows, tuple(x.shape[1:]), x.dtype, tokens)

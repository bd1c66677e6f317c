"""Facts of a ComfyUI model by which published figures are chosen."""

from __future__ import annotations

from typing import Any

from ...cache_core import HostError
from ...cache_core.hosts import Blocks, match
from ...cache_core.methods import Variant

WIDTHS = ("hidden_size", "dim", "inner_dim", "model_channels")  # by model class


def variant_of(model: Any) -> Variant:
    """Class, width and input channels of a ModelPatcher's diffusion model, 0 where the model does not say; whether
    its attention and MLP are apart, and whether its first block can be looked into."""
    module = model.get_model_object("diffusion_model")
    width = next((size for name in WIDTHS if isinstance(size := getattr(module, name, None), int)), 0)
    channels = getattr(module, "in_dim", None) or getattr(module, "in_channels", None) or 0
    apart = bool(found := _lists(model)) and all(blocks.separable for blocks in found)
    looks = bool(found) and bool(found[0].modulated)
    return Variant(type(module).__name__, width, channels if isinstance(channels, int) else 0, apart, looks)


def merges(model: Any) -> bool:
    """True if the model's lists of blocks can be merged; else its output is reused."""
    return bool(found := _lists(model)) and all(blocks.carries for blocks in found)


def _lists(model: Any) -> tuple[Blocks, ...]:
    """The model's lists of blocks; none of an unknown model."""
    try:
        return match(model.get_model_object("diffusion_model")).blocks
    except HostError:
        return ()

"""Facts of a ComfyUI model by which published figures are chosen."""

from __future__ import annotations

from typing import Any

from ...cache_core import HostError
from ...cache_core.hosts import match
from ...cache_core.methods import Variant

WIDTHS = ("hidden_size", "dim", "inner_dim", "model_channels")  # by model class


def variant_of(model: Any) -> Variant:
    """Class, width and input channels of a ModelPatcher's diffusion model; 0 where the model does not say."""
    module = model.get_model_object("diffusion_model")
    width = next((size for name in WIDTHS if isinstance(size := getattr(module, name, None), int)), 0)
    channels = getattr(module, "in_dim", None) or getattr(module, "in_channels", None) or 0
    return Variant(type(module).__name__, width, channels if isinstance(channels, int) else 0)


def merges(model: Any) -> bool:
    """True if the model's lists of blocks can be merged; else its output is reused."""
    try:
        return all(blocks.carries for blocks in match(model.get_model_object("diffusion_model")).blocks)
    except HostError:
        return False

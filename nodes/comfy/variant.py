"""Facts of a ComfyUI model by which published figures are chosen."""

from __future__ import annotations

from typing import Any

from ...cache_core import HostError
from ...cache_core.hosts import Host, lists_of, merging
from ...cache_core.methods import Variant

WIDTHS = ("hidden_size", "dim", "inner_dim", "model_channels")  # by model class


def variant_of(model: Any) -> Variant:
    """Class, width and input channels of a ModelPatcher's diffusion model, 0 where the model does not say; whether
    its attention and MLP are apart, whether its first block can be looked into, and its lists of blocks."""
    module, host = model.get_model_object("diffusion_model"), _host(model)
    width = next((size for name in WIDTHS if isinstance(size := getattr(module, name, None), int)), 0)
    channels = getattr(module, "in_dim", None) or getattr(module, "in_channels", None) or 0
    found = host.blocks if host else ()
    apart = bool(found) and all(blocks.separable for blocks in found)
    looks = bool(found) and bool(found[0].modulated)
    lists = lists_of(module, host) if host and merges(model) else ()
    return Variant(type(module).__name__, width, channels if isinstance(channels, int) else 0, apart, looks, lists)


def merges(model: Any) -> bool:
    """True if the model's lists of blocks, or a U-Net's deep part, can be merged; else its output is reused."""
    host = _host(model)
    return host is not None and all(blocks.carries for blocks in host.blocks)


def _host(model: Any) -> Host | None:
    """The host of the model; None of an unknown one."""
    try:
        return merging(model.get_model_object("diffusion_model"))
    except HostError:
        return None

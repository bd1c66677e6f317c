"""Nodes of other packs that ours take the place of, where a saved workflow has them and their pack is missing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...cache_core.methods import METHODS
from ...cache_core.settings import CUSTOM, ABSettings
from ...cache_core.settings.method import RELEASED
from .request import METHOD
from .server import server

log = logging.getLogger("feb_ab_cache")
OF_METHOD = {"strength": 0.25, "curves": RELEASED}  # of Cache Method, for nodes without a threshold


@dataclass(frozen=True)
class Missing:
    """A node of another pack, by its class id `old`, and what takes its place.

    `widgets`: its widgets in the order in which a saved workflow has their values. `taken`: inputs of ours, by name,
    and those of it that they get their value from, besides the model. `values`: of inputs of ours that are set.
    `method`: of Cache Method; empty for AB-Cache Apply.
    """

    old: str
    widgets: tuple[str, ...]
    taken: dict[str, str]
    method: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def new(self) -> str:
        """Class id of our node."""
        return METHOD if self.method else "ABCacheApply"

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """Inputs of our node, as ComfyUI wants them told; all that it requires are among them."""
        taken = {"model": "model", **self.taken}
        other = {"method": self.method, **OF_METHOD} if self.method else ABSettings.defaults
        given = {ours: value for ours, value in {**other, **self.values}.items() if ours not in taken}
        return [
            *({"new_id": ours, "old_id": theirs} for ours, theirs in taken.items()),
            *({"new_id": ours, "set_value": value} for ours, value in given.items()),
        ]


# Where theirs is 0 the cache is off, and with strength 0 ours then saves nothing.
BY_THRESHOLD: dict[str, Any] = {"strength": 0.0}
SWITCHED = {"enabled": "enable"}
MASKS = "Cache-DiT masks"
TAYLOR = (
    ("model_type", "fresh_threshold", "max_order", "first_enhance", "last_enhance"),
    {"interval": "fresh_threshold", "warmup_steps": "first_enhance"},
    "",
    {"preset": CUSTOM, "order": 3, "learn": False},
)
MISSING = (
    Missing(
        "TeaCache",
        ("model_type", "rel_l1_thresh", "start_percent", "end_percent", "cache_device"),
        {"threshold": "rel_l1_thresh", "start_percent": "start_percent", "end_percent": "end_percent"},
        "TeaCache",
        BY_THRESHOLD,
    ),
    Missing(
        "MagCache",
        ("model_type", "magcache_thresh", "retention_ratio", "magcache_K", "start_step", "end_step"),
        {"threshold": "magcache_thresh"},
        "MagCache",
        BY_THRESHOLD,
    ),
    Missing(
        "ApplyFBCacheOnModel",
        ("object_to_patch", "residual_diff_threshold", "start", "end", "max_consecutive_cache_hits"),
        {"threshold": "residual_diff_threshold", "start_percent": "start", "end_percent": "end"},
        "FBCache",
        BY_THRESHOLD,
    ),
    Missing(
        "CacheDiT_Model_Optimizer",
        ("enable", "model_type", "warmup_steps", "skip_interval", "print_summary"),
        SWITCHED,
        MASKS,
    ),
    Missing(
        "CacheDiT_LTX2_Optimizer",
        ("enable", "warmup_steps", "skip_interval", "noise_scale", "print_summary"),
        SWITCHED,
        MASKS,
    ),
    Missing(
        "WanCacheOptimizer",
        ("enable", "warmup_steps", "skip_interval", "print_summary"),
        {**SWITCHED, "threshold": "skip_interval"},
        "FORA",
    ),
    Missing("CacheDitAccelerate", (), {}, MASKS),
    Missing("TaylorSeer", *TAYLOR),
    Missing("TaylorSeerLite", *TAYLOR),
)


def replaced() -> Iterator[Missing]:
    """The nodes that ours can take the place of: those whose method is there."""
    return (each for each in MISSING if not each.method or each.method in METHODS)


def register_replacements() -> None:
    """Tell ComfyUI of all replacements; nothing outside ComfyUI, and in versions that know no such thing.

    ComfyUI itself uses one only where the old class is missing.
    """
    if not hasattr(server(), "node_replace_manager"):
        return
    try:
        from comfy_api.latest import ComfyAPISync, io

        api = ComfyAPISync()
        for each in replaced():
            widgets, first = list(each.widgets), [{"new_idx": 0, "old_idx": 0}]
            api.node_replacement.register(io.NodeReplace(each.new, each.old, widgets, each.inputs, first))
    except (ImportError, AttributeError, TypeError) as error:  # their API may change; the nodes do not depend on it
        log.warning("No node of another pack is replaced by ours where it is missing (%s).", error)

"""Cache Method."""

from __future__ import annotations

from typing import Any

from ..cache_core.methods import METHODS
from ..cache_core.settings.method import CURVES, MOST_STRENGTH, MethodSettings
from ..cache_core.settings.saved import MOST_MEMORY
from .comfy.attach import attach
from .comfy.mailbox import Mailbox
from .comfy.variant import merges, variant_of
from .page.last_runs import page_timeline
from .widgets import OF_BOTH, choice, inputs, number, percents

TOOLTIPS = OF_BOTH | {
    "model": "Any diffusion model. LoRA and sampling-shift nodes may come before or after this one.",
    "method": "A published cache: the rule by which it skips, and what it puts in place of what is skipped.",
    "strength": "Share of the evaluations to save, from careful to fast. 0.5 = every second one, 0 = none. The "
    "method's own threshold follows from it. A step without the negative prompt saves half an evaluation, so methods "
    "for the guidance save at most half. For methods that decide during the run it is an estimate; the report says "
    "what was saved.",
    "curves": "as released: the authors' figures for this model. learned on this model: the first picture is computed "
    "in full, and the method goes by what it shows.",
    "threshold": "The method's own threshold, as in its paper; the strip has its name and the value in force. 0 = by "
    "strength. More is faster.",
    "memory": "GB that the cache may take on the device. 0 = automatic, by what is free.",
    "enabled": "Off: no cache, as without this node.",
    "schedule": "What was made elsewhere, as JSON, for a method that reads it. SmoothCache takes the file of the "
    "package dit-smoothcache, Learning-to-Cache a router; these count in place of strength and curves. ProfilingDiT "
    'takes the blocks to reuse, such as {"blocks": [6, 7]}, DBCache how many of the first and last blocks to '
    'compute, such as {"Fn": 8, "Bn": 8}. Empty = none.',
}


class CacheMethod:
    """The node Cache Method."""

    CATEGORY = "model/patch"
    RETURN_TYPES, RETURN_NAMES = ("MODEL", "REPORT"), ("model", "report")
    OUTPUT_TOOLTIPS = (
        "The model with the cache attached; the one you put in stays as it is.",
        "For Cache Report: what happened in the run.",
    )
    FUNCTION = "apply"
    SEARCH_ALIASES = [
        *dict.fromkeys(alias for method in METHODS.values() for alias in (method.name, *method.aliases)),
        "Cache Method",
    ]
    DESCRIPTION = (
        "Caches by a published method: TeaCache, MagCache and others, on this pack's engine, on any model that can "
        "have it. For those who know one, and to compare; AB-Cache Apply is the node to begin with."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """The inputs, as ComfyUI declares them."""
        required = {
            "model": ("MODEL",),
            "method": choice(tuple(METHODS)),
            "strength": number(0.5, 0.0, MOST_STRENGTH, 0.05),
            "curves": choice(CURVES),
        }
        optional = {
            "threshold": number(0.0, 0.0, 100.0, 0.001),
            **percents(),
            "memory": number(0.0, 0.0, MOST_MEMORY, 0.5),
            "enabled": ("BOOLEAN", {"default": True}),
            "schedule": ("STRING", {"default": ""}),
        }
        sight = ("method", "strength", "curves", "threshold")
        return inputs(TOOLTIPS, sight, required=required, optional=optional) | {"hidden": {"node_id": "UNIQUE_ID"}}

    def apply(
        self, model: Any, method: str, enabled: bool = True, node_id: str = "", **given: Any
    ) -> tuple[object, Mailbox]:
        """A clone of `model` with the method's cache on it, and the mailbox for reports; with `enabled` off the model
        as it is. Raises ConfigError for a method that this model cannot have, and a threshold out of its range."""
        if not enabled:
            return model, Mailbox(off="Cache Method is off")
        mailbox = Mailbox(page_timeline(node_id, type(self).__name__))
        settings = MethodSettings(method, variant=variant_of(model), inside=merges(model), **given)
        return attach(model, settings, mailbox), mailbox

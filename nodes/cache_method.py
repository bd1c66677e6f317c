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
from .widgets import choice, inputs, number

TOOLTIPS = {
    "model": "Any diffusion model. LoRA and sampling-shift nodes may come before or after this one.",
    "method": "A published cache: when it reuses, and how reused values are made.",
    "strength": "Share of the evaluations to save. 0.5 = every second one. More is faster and less exact. The method's "
    "own threshold follows from it.",
    "curves": "as released: the authors' figures for this model. learned on this model: the first picture is computed "
    "in full, and the method goes by what it shows.",
    "threshold": "The method's own threshold, by the name it has in its paper. 0 = by strength.",
    "memory": "GB that the cache may take on the device. 0 = automatic, by what is free.",
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
    SEARCH_ALIASES = [*dict.fromkeys(alias for method in METHODS.values() for alias in method.aliases)]
    DESCRIPTION = (
        "Caches by a published method: TeaCache, MagCache and others, on this pack's engine. For comparison, and for "
        "those who know them; AB-Cache Apply is the node to begin with."
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
            "threshold": number(0.0, 0.0, 100.0, 0.01),
            "memory": number(0.0, 0.0, MOST_MEMORY, 0.5),
        }
        sight = ("method", "strength", "curves")
        return inputs(TOOLTIPS, sight, required=required, optional=optional) | {"hidden": {"node_id": "UNIQUE_ID"}}

    def apply(self, model: Any, method: str, node_id: str = "", **given: Any) -> tuple[object, Mailbox]:
        """A clone of `model` with the method's cache on it, and the mailbox for reports. Raises ConfigError for a
        method that this model cannot have, and for a threshold out of its range."""
        mailbox = Mailbox(page_timeline(node_id, type(self).__name__))
        settings = MethodSettings(method, variant=variant_of(model), inside=merges(model), **given)
        return attach(model, settings, mailbox), mailbox

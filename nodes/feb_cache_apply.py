"""FEB-Cache Apply."""

from typing import Any

from ..cache_core.settings.feb import DEFAULTS, ORDERS, PRESETS, TABLES, FEBSettings
from ..cache_core.settings.presets import OFF
from ..cache_core.settings.saved import MOST_MEMORY
from .apply_node import ApplyNode
from .comfy.attach import require_blocks
from .comfy.mailbox import Mailbox
from .widgets import FOR_SPEED, OF_BOTH, OTHERS, choice, inputs, integer, number, percents, preset

TOOLTIPS = OF_BOTH | {
    "model": "A diffusion transformer with separable attention and MLP, such as FLUX. It is recognised by itself.",
    "preset": "How much to predict. Steps for each one at which attention and MLP run: auto and balanced 2, quality "
    "1.5, fast 3, once a plan is learned; before, and with learn off, 1.5. paper: the authors' table and noise "
    "scaling. off: no cache, as without this node. Moving another widget makes it custom.",
    "attention_interval": "Low-noise stage: every how many steps attention is computed. 1 = always. More is faster and "
    "loses coarse structure first.",
    "mlp_interval": "High-noise stage: every how many steps the MLP is computed. 1 = always. More is faster and loses "
    "fine detail first.",
    "fragile_interval": "Every how many steps the kind that the stage must keep fresh is computed: attention at high "
    "noise, the MLP at low noise. 1 = always. More is faster and riskier.",
    "stage_boundary": "Model time at which the stages meet: 1 = pure noise, 0 = clean. For FLUX it is sigma. More "
    "makes the low-noise stage longer.",
    "predictor": "reuse: the last computed output. order 2, order 3: predicted from the last 2 or 3, closer, for 2 or "
    "3 times the cache memory.",
    "noise_scale_high": "Factor on the predicted noise towards the end of the high-noise stage. 1 = off, less leaves "
    "less noise to remove; the paper writes 0.98.",
    "noise_scale_low": "Factor on the predicted noise towards the end of the low-noise stage. 1 = off; the paper "
    "writes 0.96, its code does 1.036 in both stages.",
    "table": "two-stage: by the intervals above. released: the authors' table for 50 steps; the intervals do not "
    "count.",
    "memory": "GB that the cache may take on the device. 0 = automatic, by what is free. When the plan needs more, "
    "blocks are merged, or values moved to host memory or to 8 bits; the report says which.",
    "plan": "A plan for attention and MLP, from Cache Plan Load or Cache Calibrate. It takes the place of all widgets "
    "above but memory; preset off still switches it off.",
    "edited_steps": "Single steps changed by hand, such as compute attention 6,9; reuse both 12-14. Clicks on the "
    "timeline write it. Empty = as the widgets above say.",
    "learn": "With auto, quality, balanced or fast: the first picture of a model, sampler and step count is computed "
    "in full and a plan made from it, for all that follow. Off: the preset as it stands, from the first picture on.",
}


class FEBCacheApply(ApplyNode):
    """The node FEB-Cache Apply."""

    SETTINGS = FEBSettings
    # what the page finds further on in an alias counts less, and AB-Cache comes first
    ASIDE = "for blocks, as wavespeed", "for blocks, as first block cache"
    SEARCH_ALIASES = [*FOR_SPEED, *OTHERS, *ASIDE, "attention cache", "FEB-Cache Apply"]
    DESCRIPTION = (
        "Runs the model at every step, but reuses attention or MLP of its blocks where they change little (FEB-Cache, "
        "arXiv 2503.07120). For diffusion transformers such as FLUX and HunyuanVideo. Put it between the model loader "
        "and the sampler."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        d = DEFAULTS
        required = {
            "model": ("MODEL",),
            "preset": preset(PRESETS),
            "attention_interval": integer(d["attention_interval"], 1, 10),
            "mlp_interval": integer(d["mlp_interval"], 1, 10),
            "fragile_interval": integer(d["fragile_interval"], 1, 6),
            "stage_boundary": number(d["stage_boundary"], 0.0, 1.0, 0.01),
            "warmup_steps": integer(d["warmup_steps"], 0, 20),
            "final_steps": integer(d["final_steps"], 0, 20),
            **percents(),
            "predictor": choice(tuple(ORDERS)),
            "noise_scale_high": number(d["noise_scale_high"], 0.9, 1.1, 0.005),
            "noise_scale_low": number(d["noise_scale_low"], 0.9, 1.1, 0.005),
        }
        optional = {
            "table": choice(TABLES),
            "memory": number(0.0, 0.0, MOST_MEMORY, 0.5, of_preset=False),
            "plan": ("CACHE_PLAN",),
            "edited_steps": ("STRING", {"default": ""}),
            "learn": ("BOOLEAN", {"default": True, "of_preset": False}),
            "model_2": ("MODEL",),
        }
        return inputs(TOOLTIPS, ("preset", "memory"), required=required, optional=optional) | {
            "hidden": {"node_id": "UNIQUE_ID"}
        }

    def apply(self, model: Any, preset: str, *args: Any, **given: Any) -> tuple[object, Mailbox, object]:
        """Raises HostError for a model whose attention and MLP cannot be cached separately."""
        for each in (model, given.get("model_2")):
            if each is not None and preset != OFF:
                require_blocks(each)
        return super().apply(model, preset, *args, **given)

"""AB-Cache Apply."""

from ..cache_core.settings.ab import DEFAULTS, PRESETS, ABSettings
from .apply_node import ApplyNode
from .widgets import FOR_SPEED, OF_BOTH, OTHERS, choice, inputs, integer, number, percents, preset

TOOLTIPS = OF_BOTH | {
    "model": "Any diffusion model. LoRA and sampling-shift nodes may come before or after this one.",
    "preset": "How much to skip. Steps for each one at which the model runs: auto and balanced 3, quality 2, fast 4, "
    "once a plan is learned; before, and with learn off, 1.5. paper: the authors' FLUX "
    "schedule. off: no cache, as without this node. Moving another widget makes it custom.",
    "order": "Computed outputs that a prediction is made from. 1 = plain reuse. More follows the curve better and "
    "amplifies noise more; 2 or 3 is best from 20 steps on.",
    "interval": "Every how many steps the model runs. 1 = always. More is faster and less exact. With a tolerance: the "
    "most steps predicted in a row.",
    "coefficients": "node-aware: weights from the real distances between the steps. paper: the published constants, "
    "right only for steps computed one after another.",
    "damping": "Share of plain reuse mixed into the prediction. 0 = none, 1 = reuse only. More is safer where the "
    "output jumps.",
    "computed_steps": "Steps to compute, such as 0-4,6,9,13,49. Empty = by interval.",
    "after_guidance": "Predict once, after guidance, instead of each conditioning, as LazyCache does. Not for cfg_pp "
    "samplers.",
    "tolerance": "0 = fixed interval. Above 0: compute when the relative disagreement of two predictions, summed since "
    "the last computed step, would pass this. More is faster and less exact; 0.05 to 0.1 with order 3 is usual.",
    "learn": "With auto, quality, balanced or fast: the first picture of a model, sampler and step count is computed "
    "in full and a plan made from it, for all that follow. Off: the preset as it stands, from the first picture on.",
    "plan": "A plan from Cache Plan Load or Cache Calibrate. It takes the place of all widgets above; preset off still "
    "switches it off.",
}


class ABCacheApply(ApplyNode):
    """The node AB-Cache Apply."""

    SETTINGS = ABSettings
    SEARCH_ALIASES = [*FOR_SPEED, *OTHERS, "wavespeed", "first block cache", "skip steps", "AB-Cache Apply"]
    DESCRIPTION = (
        "Runs the model at some steps only and predicts its output at the others (AB-Cache, arXiv 2504.10540). "
        "Works with any diffusion model. Put it between the model loader and the sampler."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """The inputs, as ComfyUI declares them."""
        d = DEFAULTS
        required = {
            "model": ("MODEL",),
            "preset": preset(PRESETS),
            "order": integer(d["order"], 1, 4),
            "interval": integer(d["interval"], 1, 12),
            "warmup_steps": integer(d["warmup_steps"], 0, 20),
            "final_steps": integer(d["final_steps"], 0, 20),
            **percents(),
            "coefficients": choice(("node-aware", "paper")),
            "damping": number(d["damping"], 0.0, 1.0, 0.05),
            "computed_steps": ("STRING", {"default": ""}),
            "after_guidance": ("BOOLEAN", {"default": False}),
            "tolerance": number(d["tolerance"], 0.0, 0.2, 0.005),
        }
        optional = {
            "learn": ("BOOLEAN", {"default": True, "of_preset": False}),
            "plan": ("CACHE_PLAN",),
            "model_2": ("MODEL",),
        }
        return inputs(TOOLTIPS, ("preset", "learn"), required=required, optional=optional) | {
            "hidden": {"node_id": "UNIQUE_ID"}
        }

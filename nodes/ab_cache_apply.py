"""AB-Cache Apply."""

from ..cache_core import OUTPUT, ConfigError
from ..cache_core.saved_plan.saved_plan import SavedPlan
from ..cache_core.settings.ab import DEFAULTS, PRESETS, ABSettings
from ..cache_core.settings.presets import CUSTOM
from ..cache_core.settings.saved import SavedPlanSettings
from ..cache_core.site import names
from .comfy import attach
from .comfy.mailbox import Mailbox
from .comfy.weights import fingerprint
from .page.last_runs import progress_of
from .widgets import choice, integer, number, percents


class ABCacheApply:
    CATEGORY = "model_patches/acceleration"
    SEARCH_ALIASES = ["cache", "teacache", "easycache", "speed", "accelerate", "skip steps"]
    DESCRIPTION = (
        "Runs the model at some steps only and extrapolates its output at the others (AB-Cache, arXiv 2504.10540). "
        "Works with any "
        "diffusion model. Put it between the model loader and the sampler."
    )
    RETURN_TYPES, RETURN_NAMES = ("MODEL", "REPORT"), ("model", "report")
    OUTPUT_TOOLTIPS = (
        "The model with the cache attached; the one you put in stays as it is.",
        "For Cache Report: what happened in the run.",
    )
    FUNCTION = "apply"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        d = DEFAULTS
        return {
            "required": {
                "model": (
                    "MODEL",
                    {
                        "tooltip": "Any diffusion model. LoRA and sampling-shift nodes may come before or after this "
                        "one."
                    },
                ),
                "preset": choice(
                    (*PRESETS, CUSTOM),
                    "How much to skip. auto: balanced, with the warm-up adapted to the number of steps. quality, "
                    "balanced, fast: ever "
                    "fewer steps computed. paper: the authors' FLUX schedule. Moving another widget makes it custom.",
                    presets=PRESETS,
                ),
                "order": integer(
                    d["order"],
                    1,
                    4,
                    "Computed outputs that a prediction is made from. 1 = plain reuse. More follows the curve "
                    "better and amplifies noise more; 2 or 3 is best from 20 steps on.",
                ),
                "interval": integer(
                    d["interval"],
                    1,
                    12,
                    "Every how many steps the model runs. 1 = always. More is faster and less exact. With "
                    "a tolerance: the most steps predicted in a row.",
                ),
                "warmup_steps": integer(
                    d["warmup_steps"],
                    0,
                    20,
                    "Steps at the start that are always computed. More keeps the composition closer.",
                ),
                "final_steps": integer(
                    d["final_steps"], 0, 20, "Steps at the end that are always computed. More keeps fine detail closer."
                ),
                **percents(),
                "coefficients": choice(
                    ("node-aware", "paper"),
                    "node-aware: weights from the real distances between the steps. paper: the published "
                    "constants, right only for steps computed one after another.",
                ),
                "damping": number(
                    d["damping"],
                    0.0,
                    1.0,
                    0.05,
                    "Share of plain reuse mixed into the prediction. 0 = none, 1 = reuse only. More is "
                    "safer where the output jumps.",
                ),
                "computed_steps": (
                    "STRING",
                    {"default": "", "tooltip": "Steps to compute, such as 0-4,6,9,13,49. Empty = by interval."},
                ),
                "after_guidance": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "Predict once, after guidance, instead of each conditioning, as LazyCache "
                        "does. Not for cfg_pp samplers.",
                    },
                ),
                "tolerance": number(
                    d["tolerance"],
                    0.0,
                    0.2,
                    0.005,
                    "0 = fixed interval. Above 0: compute when the relative disagreement of two predictions, summed "
                    "since the last "
                    "computed step, would pass this. More is faster and less exact; 0.05 to 0.1 with order 3 is usual.",
                ),
            },
            "optional": {
                "learn": (
                    "BOOLEAN",
                    {
                        "default": True,
                        "of_preset": False,
                        "tooltip": "With auto, quality, balanced or fast: the first picture of a model, sampler and "
                        "step count is computed in full "
                        "and a plan made from it; all that follow use it (auto 3x, quality 2x, balanced 3x, fast 4x "
                        "fewer evaluations). "
                        "Off: the widgets as they stand, from the first picture on.",
                    },
                ),
                "plan": (
                    "CACHE_PLAN",
                    {
                        "tooltip": "A plan from Cache Plan Load or Cache Calibrate. It takes the place of all widgets "
                        "above."
                    },
                ),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def apply(
        self, model: object, preset: str, plan: SavedPlan | None = None, node_id: str = "", **given: object
    ) -> tuple[object, Mailbox]:
        mailbox = Mailbox(progress_of(node_id, type(self).__name__))
        settings = ABSettings.of(preset, {"learn": True, **given}) if plan is None else planned(plan, model)
        return attach.attach(model, settings, mailbox), mailbox


def planned(plan: SavedPlan, model: object) -> SavedPlanSettings:
    """The settings of a node that was given a plan. Raises ConfigError if it is for another model or for other sites."""
    if plan.table.kinds != OUTPUT:
        raise ConfigError(
            f"This plan is for {names(plan.table.kinds)}; AB-Cache Apply takes plans for the model's output. Use "
            "FEB-Cache Apply."
        )
    plan.check_model(type(model.model.diffusion_model).__name__, fingerprint(model) if plan.origin.weights else "")
    return SavedPlanSettings("AB-Cache, plan", plan)

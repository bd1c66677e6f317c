"""FEB-Cache Apply."""

from ..cache_core import MODULES, ConfigError
from ..cache_core.saved_plan.saved_plan import SavedPlan
from ..cache_core.settings.feb import DEFAULTS, MOST_MEMORY, ORDERS, PRESETS, TABLES, FEBSettings, check_memory
from ..cache_core.settings.presets import CUSTOM
from ..cache_core.settings.saved import SavedPlanSettings
from ..cache_core.site import names
from .comfy import attach
from .comfy.mailbox import Mailbox
from .comfy.weights import fingerprint
from .page.last_runs import progress_of
from .widgets import amount, choice, integer, number, percents


class FEBCacheApply:
    CATEGORY = "model_patches/acceleration"
    SEARCH_ALIASES = ["cache", "teacache", "speed", "accelerate", "feb", "attention cache"]
    DESCRIPTION = (
        "Caches attention and MLP of each block separately, by noise stage, and can scale the noise against exposure "
        "bias (FEB-Cache, "
        "arXiv 2503.07120). For diffusion transformers such as FLUX and HunyuanVideo. Put it between the model loader "
        "and the sampler."
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
                        "tooltip": "A diffusion transformer with separable attention and MLP, such as FLUX. It is "
                        "recognised by itself."
                    },
                ),
                "preset": choice(
                    (*PRESETS, CUSTOM),
                    "How much to reuse. auto: balanced, with the warm-up adapted to the number of steps. quality, "
                    "balanced, fast: ever "
                    "less computed. paper: the authors' table and noise scaling. Moving another widget makes it "
                    "custom.",
                    presets=PRESETS,
                ),
                "attention_interval": integer(
                    d["attention_interval"],
                    1,
                    10,
                    "Low-noise stage: every how many steps attention is computed. 1 = always. More is faster and loses "
                    "coarse structure first.",
                ),
                "mlp_interval": integer(
                    d["mlp_interval"],
                    1,
                    10,
                    "High-noise stage: every how many steps the MLP is computed. 1 = always. More is faster and loses "
                    "fine detail first.",
                ),
                "fragile_interval": integer(
                    d["fragile_interval"],
                    1,
                    6,
                    "Every how many steps the kind that the stage must keep fresh is computed: attention at high "
                    "noise, the "
                    "MLP at low noise. 1 = always. More is faster and riskier.",
                ),
                "stage_boundary": number(
                    d["stage_boundary"],
                    0.0,
                    1.0,
                    0.01,
                    "Model time at which the stages meet: 1 = pure noise, 0 = clean. For FLUX it is sigma. More makes "
                    "the low-noise "
                    "stage longer.",
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
                "predictor": choice(
                    tuple(ORDERS),
                    "reuse: the last computed output. order 2, order 3: extrapolated from the last 2 or 3, closer, "
                    "for 2 or 3 times "
                    "the cache memory.",
                ),
                "noise_scale_high": number(
                    d["noise_scale_high"],
                    0.9,
                    1.1,
                    0.005,
                    "Factor on the predicted noise towards the end of the high-noise stage. 1 = off, less leaves less "
                    "noise to "
                    "remove; the paper writes 0.98.",
                ),
                "noise_scale_low": number(
                    d["noise_scale_low"],
                    0.9,
                    1.1,
                    0.005,
                    "Factor on the predicted noise towards the end of the low-noise stage. 1 = off; the paper writes "
                    "0.96, its "
                    "code does 1.036 in both stages.",
                ),
            },
            "optional": {
                "table": choice(
                    TABLES,
                    "two-stage: by the intervals above. released: the authors' table for 50 steps; the intervals do "
                    "not count.",
                ),
                "memory": amount(
                    0.0,
                    MOST_MEMORY,
                    0.5,
                    "GB that the cache may take on the device. 0 = automatic, by what is free. When the plan needs "
                    "more, blocks are "
                    "merged, or values moved to host memory or to 8 bits; the report says which.",
                ),
                "plan": (
                    "CACHE_PLAN",
                    {
                        "tooltip": "A plan for attention and MLP, from Cache Plan Load or Cache Calibrate. It takes "
                        "the place of all "
                        "widgets above but memory."
                    },
                ),
                "edited_steps": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Single steps changed by hand, such as compute attention 6,9; reuse both 12-14. "
                        "Clicks on the timeline write it. Empty = as the widgets above say.",
                    },
                ),
            },
            "hidden": {"node_id": "UNIQUE_ID"},
        }

    def apply(
        self, model: object, preset: str, plan: SavedPlan | None = None, node_id: str = "", **given: object
    ) -> tuple[object, Mailbox]:
        attach.require_blocks(model)
        mailbox = Mailbox(progress_of(node_id, type(self).__name__))
        settings = FEBSettings.of(preset, given) if plan is None else planned(plan, model, given.get("memory", 0.0))
        return attach.attach(model, settings, mailbox), mailbox


def planned(plan: SavedPlan, model: object, memory: float) -> SavedPlanSettings:
    """The settings of a node that was given a plan. Raises ConfigError if it is for another model or for the model's
    output."""
    check_memory(memory)
    if not plan.table.kinds <= MODULES:
        raise ConfigError(
            f"This plan is for {names(plan.table.kinds)}; FEB-Cache Apply takes plans for attention and mlp. Use "
            "AB-Cache Apply."
        )
    plan.check_model(type(model.model.diffusion_model).__name__, fingerprint(model) if plan.origin.weights else "")
    return SavedPlanSettings("FEB-Cache, plan", plan, memory)

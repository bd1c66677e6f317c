"""Cache Calibrate."""

from __future__ import annotations

import logging
from dataclasses import replace

from ..cache_core.calibrate import Allowance, Memo, Request
from ..cache_core.calibrate.ab import LEAST_SPEEDUP, MOST_SPEEDUP
from ..cache_core.errors import check_choice
from ..cache_core.saved_plan.file import load, save
from ..cache_core.show.chart import picture
from .comfy import plan_folder
from .comfy.bench import ComfyBench
from .finders import FINDERS, OUTPUT_SITE, Found, Work, made_before
from .page.node_bar import NodeProgress

log = logging.getLogger("feb_ab_cache")


class CacheCalibrate:
    CATEGORY = "model_patches/acceleration"
    SEARCH_ALIASES = ["calibrate cache", "tune", "optimise", "speed"]
    DESCRIPTION = (
        "Finds the plan that is best for this model, sampler and step count: samples a few times in full, then tries "
        "plans and keeps the "
        "one that comes nearest. Takes as long as calibration_budget pictures; it can be interrupted and goes on "
        "where it was. Connect "
        "the plan to an Apply node."
    )
    RETURN_TYPES, RETURN_NAMES = ("CACHE_PLAN", "STRING", "IMAGE"), ("plan", "report", "curves")
    OUTPUT_TOOLTIPS = (
        "The plan, for the plan input of an Apply node; it is also saved to models/cache_plans.",
        "What was tried and found, as text.",
        "The plan's steps, and how far its samples drift from the uncached ones.",
    )
    FUNCTION, OUTPUT_NODE = "calibrate", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {
            "required": {
                "model": (
                    "MODEL",
                    {
                        "tooltip": "The model, with its LoRAs, as it goes into the sampler. A plan is for these "
                        "weights only."
                    },
                ),
                "positive": (
                    "CONDITIONING",
                    {"tooltip": "A prompt as you would use it. The plan holds for others, too."},
                ),
                "negative": ("CONDITIONING", {"tooltip": "The negative prompt; not used where cfg is 1."}),
                "latent_image": (
                    "LATENT",
                    {"tooltip": "A latent of the size that you will sample; its first image is used."},
                ),
                "sampler": (
                    "SAMPLER",
                    {"tooltip": "The sampler. One that adds noise, such as euler_ancestral, cannot be calibrated."},
                ),
                "sigmas": (
                    "SIGMAS",
                    {
                        "tooltip": "The sigmas, from a scheduler node. The plan is for these steps; at others it is "
                        "moved over sigma."
                    },
                ),
                "seed": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 2**64 - 1,
                        "control_after_generate": False,
                        "tooltip": "Noise of the first sample; the others follow. The same seed gives the same plan.",
                    },
                ),
                "cfg": (
                    "FLOAT",
                    {
                        "default": 1.0,
                        "min": 0.0,
                        "max": 100.0,
                        "step": 0.1,
                        "round": 0.01,
                        "tooltip": "Guidance, as in the sampler. 1 for FLUX and HunyuanVideo, whose guidance is in "
                        "the prompt.",
                    },
                ),
                "target_speedup": (
                    "FLOAT",
                    {
                        "default": 3.0,
                        "min": LEAST_SPEEDUP,
                        "max": MOST_SPEEDUP,
                        "step": 0.1,
                        "round": False,
                        "tooltip": "Steps for each step at which the model runs. More is faster and less exact.",
                    },
                ),
                "target_drift": (
                    "FLOAT",
                    {
                        "default": 0.0,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.005,
                        "round": False,
                        "tooltip": "0 = by target_speedup. Above 0: as fast as the relative L2 distance of the "
                        "latents to the "
                        "uncached ones stays below this; 0.05 is hard to see.",
                    },
                ),
                "samples": (
                    "INT",
                    {
                        "default": 8,
                        "min": 1,
                        "max": 64,
                        "tooltip": "Pictures that are sampled in full and learned from, fewer where the budget is "
                        "small. One is often "
                        "enough; more hold better for other seeds.",
                    },
                ),
                "calibration_budget": (
                    "INT",
                    {
                        "default": 12,
                        "min": 2,
                        "max": 1000,
                        "tooltip": "What calibration may cost, counted in uncached pictures. More tries more plans; "
                        "64 is good "
                        "for attention and MLP.",
                    },
                ),
                "site": (
                    list(FINDERS),
                    {
                        "default": OUTPUT_SITE,
                        "tooltip": "What the plan caches: the model's output, for AB-Cache Apply, or attention "
                        "and MLP of its blocks, for FEB-Cache Apply.",
                    },
                ),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def calibrate(
        self,
        model,
        positive,
        negative,
        latent_image,
        sampler,
        sigmas,
        seed,
        cfg,
        target_speedup,
        target_drift,
        samples,
        calibration_budget,
        site=OUTPUT_SITE,
        unique_id=None,
    ) -> dict:
        check_choice("site", site, tuple(FINDERS))
        request = Request(target_speedup, target_drift, samples, calibration_budget, seed)
        bench = ComfyBench(model, positive, negative, cfg, latent_image, sampler, sigmas, seed)
        key = bench.key(site, *vars(request).values())
        name = f"calibrated_{key}.safetensors"
        if plan_folder.path_of(name).is_file():
            found = made_before(load(plan_folder.path_of(name)), name)
        else:
            work = Work(
                bench,
                request,
                Memo(plan_folder.unfinished(key)),
                Allowance(request.budget, NodeProgress(unique_id)),
                plan_folder.path_of(f"calibrating_{key}.safetensors"),
            )
            found = made_now(work, site, name)
        text = "\n".join([found.plan.text(), *found.lines])
        log.info("Cache Calibrate: %s", text.replace("\n", "; "))
        return {"ui": {"text": (text,)}, "result": (found.plan, text, picture(found.parts))}


def made_now(work: Work, site: str, name: str) -> Found:
    """Calibrate, keep the plan as `name`, and drop what was only needed on the way."""
    found = FINDERS[site](work)
    save(found.plan, plan_folder.path_of(name))
    work.best.unlink(missing_ok=True)
    work.memo.clear()
    cost = f"cost {work.allowance.spent:.1f} uncached pictures of {work.request.budget:g} allowed; saved as {name}"
    return replace(found, lines=[cost, *found.lines])

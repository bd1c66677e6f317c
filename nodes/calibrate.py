"""Cache Calibrate."""

from __future__ import annotations

import logging

from ..cache_core.calibrate import Allowance, Calibrated, Memo, Request, calibrate
from ..cache_core.calibrate.ab import LEAST_SPEEDUP, MOST_SPEEDUP
from ..cache_core.chart import Panel, Strip, picture
from ..cache_core.plan_file import save
from ..cache_core.site import OUTPUT
from . import library
from .bench import ComfyBench
from .progress import NodeProgress

log = logging.getLogger("feb_ab_cache")


class CacheCalibrate:
    CATEGORY = "model_patches/acceleration"
    DESCRIPTION = ("Finds the plan that is best for this model, sampler and step count: samples a few times in full, then tries plans and keeps the "
                   "one that comes nearest. Takes as long as calibration_budget pictures; it can be interrupted and goes on where it was. Connect "
                   "the plan to an Apply node.")
    RETURN_TYPES, RETURN_NAMES = ("CACHE_PLAN", "STRING", "IMAGE"), ("plan", "report", "curves")
    OUTPUT_TOOLTIPS = ("The plan, for the plan input of an Apply node; it is also saved to models/cache_plans.", "What was tried and found, as text.",
                       "The plan's steps, and how far its samples drift from the uncached ones.")
    FUNCTION, OUTPUT_NODE = "calibrate", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {
            "model": ("MODEL", {"tooltip": "The model, with its LoRAs, as it goes into the sampler. A plan is for these weights only."}),
            "positive": ("CONDITIONING", {"tooltip": "A prompt as you would use it. The plan holds for others, too."}),
            "negative": ("CONDITIONING", {"tooltip": "The negative prompt; not used where cfg is 1."}),
            "latent_image": ("LATENT", {"tooltip": "A latent of the size that you will sample; its first image is used."}),
            "sampler": ("SAMPLER", {"tooltip": "The sampler. One that adds noise, such as euler_ancestral, cannot be calibrated."}),
            "sigmas": ("SIGMAS", {"tooltip": "The sigmas, from a scheduler node. The plan is for these steps; at others it is moved over sigma."}),
            "seed": ("INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": False,
                             "tooltip": "Noise of the first sample; the others follow. The same seed gives the same plan."}),
            "cfg": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01,
                              "tooltip": "Guidance, as in the sampler. 1 for FLUX and HunyuanVideo, whose guidance is in the prompt."}),
            "target_speedup": ("FLOAT", {"default": 3.0, "min": LEAST_SPEEDUP, "max": MOST_SPEEDUP, "step": 0.1, "round": False,
                                         "tooltip": "Steps for each step at which the model runs. More is faster and less exact."}),
            "target_drift": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.005, "round": False,
                                       "tooltip": "0 = by target_speedup. Above 0: as fast as the relative L2 distance of the latents to the "
                                                  "uncached ones stays below this; 0.05 is hard to see."}),
            "samples": ("INT", {"default": 4, "min": 1, "max": 64,
                                "tooltip": "Pictures that are sampled in full and learned from, fewer where the budget is small. One is often "
                                           "enough; more hold better for other seeds."}),
            "calibration_budget": ("INT", {"default": 12, "min": 2, "max": 1000,
                                           "tooltip": "What calibration may cost, counted in uncached pictures. More tries more plans."}),
        }, "hidden": {"unique_id": "UNIQUE_ID"}}

    def calibrate(self, model, positive, negative, latent_image, sampler, sigmas, seed, cfg, target_speedup, target_drift, samples,
                  calibration_budget, unique_id=None) -> dict:
        request = Request(target_speedup, target_drift, samples, calibration_budget, seed)
        bench = ComfyBench(model, positive, negative, cfg, latent_image, sampler, sigmas, seed)
        key = bench.key(*vars(request).values())
        best = library.path_of(f"calibrating_{key}.safetensors")  # what there is, should this be interrupted
        memo = Memo(library.folder() / f"unfinished_{key}")
        found = calibrate(bench, bench.origin(), request, memo, Allowance(request.budget, NodeProgress(unique_id)), lambda plan: save(plan, best))
        name = f"calibrated_{key}.safetensors"
        best.replace(library.path_of(name))
        memo.clear()
        text = report(found, request, name)
        log.info("Cache Calibrate: %s", text.replace("\n", "; "))
        return {"ui": {"text": (text,)}, "result": (found.plan, text, curves(found))}


def report(found: Calibrated, request: Request, name: str) -> str:
    """The plan, what was tried for it, and what differs from what was asked, in lines."""
    lines = [found.plan.text(), f"cost {found.spent:.1f} uncached pictures of {request.budget:g} allowed; saved as {name}"]
    if found.samples < request.samples:
        lines.append(f"{request.samples} samples were asked for, and the budget allows {found.samples}")
    if request.drift and found.plan.drift > request.drift:
        lines.append(f"no plan with less drift than {request.drift:g} was found")
    nearest = sorted(found.attempts, key=lambda attempt: attempt.drift)[:8]
    lines += ["tried, by drift:", *(f"  {attempt.drift:.4f}  {attempt.name}" for attempt in nearest)]
    return "\n".join(lines)


def curves(found: Calibrated):
    """The computed steps, and the drift of the best attempt and of even steps, by step: `(1, H, W, 3)`."""
    plan, steps = found.plan, len(found.plan.table.rows)
    computed = plan.table.computed(*OUTPUT)
    shown = {attempt.name: attempt.drifts for attempt in (found.best, *(attempt for attempt in found.attempts if attempt.name == "even, order 2"))}
    return picture([Strip(f"computed at {len(computed)} of {steps} steps", computed, steps),
                    Panel("relative L2 distance of the latent to the uncached one, before each step", shown, log=True)])

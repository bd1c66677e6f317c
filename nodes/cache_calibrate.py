"""Cache Calibrate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from ..cache_core.calibrate import Found, Ledger, Request, calibrate_modules, calibrate_output
from ..cache_core.calibrate.learn import LEAST_SPEEDUP, MOST_SPEEDUP
from ..cache_core.errors import check_choice
from ..cache_core.saved_plan.file import load, save
from ..cache_core.saved_plan.saved_plan import SavedPlan
from ..cache_core.show.chart import Drawing, Panel, Strip, picture
from ..cache_core.show.run_chart import reuse_errors
from ..cache_core.show.similarity import in_words
from ..cache_core.show.timeline import COMPUTED, PREDICTED, REUSED
from .comfy import plan_folder
from .comfy.attach import require_separable
from .comfy.bench import ComfyBench
from .page.node_bar import NodeProgress
from .widgets import choice, inputs, number, of_a_sampling

log = logging.getLogger("feb_ab_cache")
OUTPUT_SITE, MODULES_SITE = "model output", "attention and MLP"


TOOLTIPS = {
    "model": "The model, with its LoRAs, as it goes into the sampler. A plan is for these weights only.",
    "positive": "A prompt as you would use it. The plan holds for others, too.",
    "negative": "The negative prompt; not used where cfg is 1.",
    "latent_image": "A latent of the size that you will sample; its first image is used.",
    "sampler": "The sampler. One that adds noise, such as euler_ancestral, cannot be calibrated.",
    "sigmas": "The sigmas, from a scheduler node. The plan is for these steps; at others it is moved over sigma.",
    "seed": "Noise of the first sample; the others follow. The same seed gives the same plan.",
    "cfg": "Guidance, as in the sampler. 1 for FLUX and HunyuanVideo, whose guidance is in the prompt.",
    "target_speedup": "Steps for each step at which the model runs. More is faster and less exact.",
    "target_drift": "0 = by target_speedup. Above 0: as fast as it can be while the picture stays this near the "
    "uncached one. 0.05 is hard to see, at 0.15 small details differ.",
    "samples": "Pictures that are sampled in full and learned from, fewer where the budget is small. One is what an "
    "Apply node learns from by itself; eight hold a little better for other seeds.",
    "calibration_budget": "What calibration may cost, counted in uncached pictures: one for each sample, and one more "
    "at the plan's price.",
    "site": "What the plan caches: the model's output, for AB-Cache Apply, or attention and MLP of its blocks, for "
    "FEB-Cache Apply.",
}


class CacheCalibrate:
    """The node Cache Calibrate."""

    CATEGORY = "model/patch"
    SEARCH_ALIASES = ["calibrate cache", "tune", "optimise"]
    DESCRIPTION = (
        "Learns a plan for this model, sampler and step count from several pictures: samples them in full, plans the "
        "steps, and fits its weights to all of them. Takes calibration_budget pictures at most; it can be interrupted "
        "and goes on where it was. Connect the plan to AB-Cache Apply or FEB-Cache Apply."
    )
    RETURN_TYPES, RETURN_NAMES = ("CACHE_PLAN", "STRING", "IMAGE"), ("plan", "report", "curves")
    OUTPUT_TOOLTIPS = (
        "The plan, for the plan input of AB-Cache Apply or FEB-Cache Apply; it is also saved to models/cache_plans.",
        "What was found, as text.",
        "The plan's steps, and how far its picture is from the uncached one.",
    )
    FUNCTION, OUTPUT_NODE = "calibrate", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        required = {
            **of_a_sampling(),
            "target_speedup": number(3.0, LEAST_SPEEDUP, MOST_SPEEDUP, 0.1),
            "target_drift": number(0.0, 0.0, 1.0, 0.005),
            "samples": ("INT", {"default": 8, "min": 1, "max": 64}),
            "calibration_budget": ("INT", {"default": 12, "min": 2, "max": 1000}),
            "site": choice((OUTPUT_SITE, MODULES_SITE)),
        }
        return inputs(TOOLTIPS, required=required) | {"hidden": {"unique_id": "UNIQUE_ID"}}

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
        """The plan, the report as text, and the picture. Raises ConfigError for inputs that cannot be calibrated."""
        check_choice("site", site, (OUTPUT_SITE, MODULES_SITE))
        request = Request(target_speedup, target_drift, samples, calibration_budget)
        bench = ComfyBench(model, positive, negative, cfg, latent_image, sampler, sigmas, seed)
        key = bench.key(site, *vars(request).values())
        name = f"calibrated_{key}.safetensors"
        if (path := plan_folder.path_of(name)).is_file():
            plan = load(path)
            lines = [f"made before, from the same inputs; delete {name} in models/cache_plans to calibrate anew"]
            drifts: tuple[float, ...] = ()
        else:
            ledger = Ledger(bench, request.budget, plan_folder.unfinished(key), NodeProgress(unique_id))
            best = plan_folder.path_of(f"calibrating_{key}.safetensors")
            found = finder(bench, site)(ledger, bench.origin(), request, keep=lambda plan: save(plan, best))
            save(found.plan, path)
            best.unlink(missing_ok=True)
            ledger.clear()
            plan, drifts, lines = found.plan, found.drifts, [_cost(found, request, name), *_said(found, request)]
        text = "\n".join([plan.text(), *lines])
        log.info("Cache Calibrate: %s", text.replace("\n", "; "))
        return {"ui": {"text": (text,)}, "result": (plan, text, picture(_drawn(plan, drifts)))}


def finder(bench: ComfyBench, site: str) -> Callable[..., Found]:
    """The calibration of a site. Raises HostError for a model whose attention and MLP cannot be cached separately."""
    if site == OUTPUT_SITE:
        return calibrate_output
    require_separable(bench.model)
    return partial(calibrate_modules, clock=bench.clock)


def _cost(found: Found, request: Request, name: str) -> str:
    return f"cost {found.spent:.1f} uncached pictures of {request.budget:g} allowed; saved as {name}"


def _said(found: Found, request: Request) -> list[str]:
    """Lines on differences from the request, on costs of reuse, and on how near the plan comes."""
    plan, costs, lines = found.plan, found.plan.costs, []
    if plan.origin.samples < request.samples:
        lines.append(f"{plan.origin.samples} of {request.samples} samples were recorded, as many as the budget allows")
    if request.drift and (plan.drift or 0.0) > request.drift:
        lines.append(f"no plan comes as near as target_drift {request.drift:g} asks")
    if not request.drift and costs and plan.speedup < 0.98 * request.speedup:
        lines.append(f"target_speedup {request.speedup:g} cannot be had here; {plan.speedup:.2f}x is the most")
    if costs:
        lines.append(
            f"a step that reuses attention takes {costs.attention:.0%} of a computed one here, the MLP "
            f"{costs.mlp:.0%}, both {costs.both:.0%}, both merged {costs.merged:.0%}"
        )
    return [*lines, f"the last picture learned from: {in_words(plan.drift or 0.0)}"]


def _drawn(plan: SavedPlan, drifts: Sequence[float]) -> list[Drawing]:
    """The plan's steps, its drift, and the errors of reuse."""
    filled = REUSED if plan.order == 1 else PREDICTED
    kinds = sorted(plan.table.kinds, key=lambda kind: kind.value)
    strips = [Strip(kind.value, [COMPUTED if kind in row else filled for row in plan.table.rows]) for kind in kinds]
    title = "distance to the uncached picture, before each step (0.05 is hard to see)"
    shown = [Panel(title, {"learned": drifts}, log=True)] if drifts else []
    return [*strips, *shown, *(reuse_errors(plan.curves) if plan.curves else [])]

#!/usr/bin/env python3
"""Write the plans that come with the pack, cache_core/saved_plan/bundled: published lists of steps, and the authors'
tables. A test keeps them in step.

    python3 scripts/make_plans.py

None of them is made from a run of ours, and none carries fitted weights. Lists of full steps are published for
FLUX.1-dev at 50 steps only (Golden Path meta-study, github.com/nanguoyu/Golden-Path-Hypothesis, September 2026,
which searched them with plain reuse of a residual; MeanCache's and BudCache's own lists are given there, too). For
HunyuanVideo no list is published: it gets AB-Cache's and FEB-Cache's released tables at its sigmas. The order of
prediction, 2, is ours: they were searched with reuse. FEB-Cache's tables reuse, as released.
"""

import sys
from math import exp
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cache_core import OUTPUT, Interval, Released, Timeline, parse_steps  # noqa: E402
from cache_core.saved_plan.file import BUNDLED, save  # noqa: E402
from cache_core.saved_plan.saved_plan import Origin, SavedPlan  # noqa: E402
from cache_core.schedule import Frame, Table, TableAt, from_steps  # noqa: E402

STEPS = 50
GOLDEN_PATH = "Golden Path meta-study, 2026"
FLUX_STEPS = {  # steps that run the model, of 50, at FLUX's own shift of the sigmas
    "hill_psnr_21": ("0-11,13,15,17,19,24,30,38,46,49", f"hill climbing on PSNR, {GOLDEN_PATH}"),
    "hill_lpips_21": ("0-10,12,14,16,19,23,26,31,37,45,49", f"hill climbing on LPIPS, {GOLDEN_PATH}"),
    "meancache_21": ("0-8,10,12,15,18,22,26,30,35,40,44,47,49", f"MeanCache, in the {GOLDEN_PATH}"),
    "hill_psnr_13": ("0-4,6,8,10,14,19,30,43,49", f"hill climbing on PSNR, {GOLDEN_PATH}"),
    "hill_lpips_13": ("0-5,7,10,16,24,32,43,49", f"hill climbing on LPIPS, {GOLDEN_PATH}"),
    "meancache_13": ("0-4,6,9,13,18,25,34,43,49", f"MeanCache, in the {GOLDEN_PATH}"),
    "budcache_13": ("0-4,6,11,15,21,29,39,45,49", f"BudCache, in the {GOLDEN_PATH}"),
    "hill_psnr_9": ("0-3,5,8,13,27,49", f"hill climbing on PSNR, {GOLDEN_PATH}"),
    "exhaustive_9": ("0,1,2,4,6,11,24,41,49", f"the best of all lists with 9 steps, {GOLDEN_PATH}"),
    "hill_lpips_9": ("0-3,6,10,18,32,49", f"hill climbing on LPIPS, {GOLDEN_PATH}"),
    "budcache_9": ("0,1,2,4,7,13,20,39,49", f"BudCache, in the {GOLDEN_PATH}"),
    "meancache_9": ("0-4,9,19,34,49", f"MeanCache, in the {GOLDEN_PATH}"),
}
# class, and shift: FLUX at 1024 x 1024; ComfyUI's for HunyuanVideo
MODELS = {"flux": ("Flux", exp(1.15)), "hunyuan_video": ("HunyuanVideo", 7.0)}
AB_CACHE = "AB-Cache's released FLUX schedule (arXiv 2504.10540)"
FEB_CACHE = "FEB-Cache's released table for DiT-XL/2 (arXiv 2503.07120), one row for one step"


def sigmas(shift: float) -> tuple[float, ...]:
    """From 1 to 0, evenly spaced and then shifted: shift s / (1 + (shift - 1) s)."""
    return tuple(shift * s / (1 + (shift - 1) * s) for s in (1 - i / STEPS for i in range(STEPS + 1)))


def published(model: str, table: Table, said: str, order: int) -> SavedPlan:
    name, shift = MODELS[model]
    return SavedPlan(Origin(name, made=f"{said}; published, not ours"), TableAt(table, sigmas(shift)), order=order)


def plans() -> dict[str, SavedPlan]:
    """All of them, by file name."""
    even = Timeline.even(STEPS)
    found = {
        f"flux_{name}": published("flux", from_steps(OUTPUT, parse_steps(steps), STEPS), said, 2)
        for name, (steps, said) in FLUX_STEPS.items()
    }
    for model in MODELS:
        found[f"{model}_ab_cache_13"] = published(
            model, Interval(OUTPUT, 6, Frame(warmup=5, final=0)).table(even), AB_CACHE, 2
        )
        found[f"{model}_feb_released"] = published(model, Released().table(even), FEB_CACHE, 1)
    return {f"{name}.safetensors": plan for name, plan in found.items()}


def main() -> None:
    for name, plan in plans().items():
        save(plan, BUNDLED / name)
    print(f"wrote {len(plans())} plans to {BUNDLED.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

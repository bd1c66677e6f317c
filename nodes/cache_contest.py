"""Cache Contest."""

from __future__ import annotations

import logging
from math import ceil

from ..cache_core.calibrate import Ledger
from ..cache_core.calibrate.learn import MOST_SPEEDUP
from ..cache_core.contest import Score, ranked, table_text, winner
from ..cache_core.errors import ConfigError, check_range
from ..cache_core.methods import METHODS
from ..cache_core.settings.method import CURVES
from ..cache_core.show.grid import grid
from .apply_node import blocked
from .comfy import plan_folder
from .comfy.bench import ComfyBench
from .comfy.contest import Contest, curves_named
from .comfy.decoding import decoder
from .page.node_bar import NodeProgress
from .widgets import choice, inputs, number, of_a_sampling

log = logging.getLogger("feb_ab_cache")
ALL, BOTH = "all", "both"
MOST_COLUMNS = 8  # of the picture grid
MOST_PICTURES, BUDGETS = 16, (4, 10000)
TOOLTIPS = {
    "model": "The model, with its LoRAs, as it goes into the sampler.",
    "positive": "A prompt as you would use it.",
    "negative": "The negative prompt; not used where cfg is 1.",
    "latent_image": "A latent of the size that you will sample; its first image is used.",
    "sampler": "The sampler. One that adds noise, such as euler_ancestral, cannot take part.",
    "sigmas": "The sigmas, from a scheduler node.",
    "seed": "Noise of the picture that plans are learned from; those that are compared follow.",
    "cfg": "Guidance, as in the sampler.",
    "target_speedup": "Steps for each computed evaluation: all take part at the same work.",
    "methods": "Names of published methods, with commas between; all = every one. AB-Cache, fewer steps and fewer "
    "steps of ipndm always take part.",
    "curves": "The published figures, those of this model, or both.",
    "pictures": "Pictures for each entrant. More make the order more certain.",
    "contest_budget": "What the contest may cost, counted in uncached pictures. Entrants that it does not reach are "
    "named.",
    "vae": "To compare pictures. Without it a rough picture of the latent is compared.",
}


class CacheContest:
    """The node Cache Contest."""

    CATEGORY = "model/patch"
    SEARCH_ALIASES = ["benchmark caches", "compare teacache magcache", "best cache"]
    DESCRIPTION = (
        "Compares caches on this model, prompt and sampler at equal computed work: published methods, AB-Cache, "
        "FEB-Cache, and fewer steps. It can be interrupted and goes on where it was. The winner is a plan for AB-Cache "
        "Apply or FEB-Cache Apply."
    )
    RETURN_TYPES, RETURN_NAMES = ("STRING", "IMAGE", "CACHE_PLAN"), ("table", "pictures", "winner")
    OUTPUT_TOOLTIPS = (
        "Evaluations, seconds, PSNR, SSIM, distance and cache of each, the closest first.",
        "The same seeds, uncached and by each entrant.",
        "The plan of the winner. Where fewer steps win, or the winner fits no plan, it stops what follows and says so.",
    )
    FUNCTION, OUTPUT_NODE = "compare", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """The inputs, as ComfyUI declares them."""
        required = {
            **of_a_sampling(),
            "target_speedup": number(2.0, 1.2, MOST_SPEEDUP, 0.1),
            "methods": ("STRING", {"default": ALL, "multiline": True}),
            "curves": choice((BOTH, *CURVES)),
            "pictures": ("INT", {"default": 2, "min": 1, "max": MOST_PICTURES}),
            "contest_budget": ("INT", {"default": 40, "min": BUDGETS[0], "max": BUDGETS[1]}),
        }
        return inputs(TOOLTIPS, required=required, optional={"vae": ("VAE",)}) | {"hidden": {"unique_id": "UNIQUE_ID"}}

    def compare(
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
        methods,
        curves,
        pictures,
        contest_budget,
        vae=None,
        unique_id=None,
    ) -> dict:
        """The table, the grid and the winner's plan. Raises ConfigError for inputs that cannot take part."""
        check_range("target_speedup", target_speedup, 1.2, MOST_SPEEDUP)
        check_range("pictures", pictures, 1, MOST_PICTURES)
        check_range("contest_budget", contest_budget, *BUDGETS)
        check_budget(contest_budget, pictures, target_speedup)
        names = methods_named(methods)
        bench = ComfyBench(model, positive, negative, cfg, latent_image, sampler, sigmas, seed)
        key = bench.key("contest", target_speedup, names, curves, pictures)
        ledger = Ledger(bench, contest_budget, plan_folder.unfinished(key), NodeProgress(unique_id))
        decode = decoder(model, bench.parts[0].shape, vae)
        contest = Contest(bench, ledger, decode, target_speedup, names, curves_named(curves), pictures)
        scores, uncached = contest.run()
        refused = [f"{name} takes no part: {reason}" for name, reason in contest.refused.items()]
        text = "\n".join([table_text(scores, contest.target, uncached), *refused])
        ledger.clear()
        log.info("Cache Contest:\n%s", text)
        shown = ["uncached", *(score.entrant.name for score in ranked(scores, contest.target))][:MOST_COLUMNS]
        near = {score.entrant.name: f"{score.entrant.name}\n{score.psnr:.1f} dB" for score in scores}
        drawn = grid([contest.shown[name] for name in shown], [near.get(name, name) for name in shown])
        return {"ui": {"text": (text,)}, "result": (text, drawn, plan_of(winner(scores, contest.target)))}


def check_budget(budget: float, pictures: int, speedup: float) -> None:
    """Raise ConfigError unless `budget` pays for those that always take part: the uncached pictures, AB-Cache with its
    lesson, fewer steps and fewer steps of ipndm."""
    least = ceil(pictures * (1 + 3 / speedup) + 1 + 1 / speedup)
    if budget < least:
        raise ConfigError(
            f"contest_budget is {budget}; {pictures} pictures of those that always take part cost {least}. Raise it, "
            "or lower pictures."
        )


def methods_named(text: str) -> tuple[str, ...]:
    """Methods in a text of names with commas or lines between. Raises ConfigError for an unknown name."""
    wanted = [name.strip() for name in text.replace("\n", ",").split(",") if name.strip()]
    if ALL in wanted or not wanted:
        return tuple(METHODS)
    known = {name.lower(): name for name in METHODS}
    if unknown := [name for name in wanted if name.lower() not in known]:
        raise ConfigError(f"methods names {', '.join(unknown)}; allowed are {', '.join(METHODS)}, or {ALL}.")
    return tuple(dict.fromkeys(known[name.lower()] for name in wanted))


def plan_of(best: Score | None) -> object:
    """The winner's plan; where it has none, an output that stops what follows and says why."""
    if best is None:
        return blocked("Cache Contest: nothing stays within the work. Lower target_speedup.")
    if best.entrant.plan is None:
        return blocked(
            f"Cache Contest: {best.entrant.name} won, which is no plan. Sample that way in place of an Apply node."
        )
    return best.entrant.plan

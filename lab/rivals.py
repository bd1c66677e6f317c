"""What ComfyUI's own caches compute at their thresholds, and AB-Cache's widgets as often, on the lab's models.

    OMP_NUM_THREADS=2 python3 -m lab.rivals --comfyui DIR [--models flux hunyuan_video]

Writes lab/results/rivals.json, from which scripts/make_tables.py writes the table of docs/MIGRATION.md. EasyCache
adds in place to what it is given, which in float32 is the sampler's own state; here it gets a copy, as it does where
the model computes in another type.
"""

import argparse
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

from torch import Tensor

from .demo import psnr
from .families import FAMILIES, Family
from .in_comfyui import applied, comfyui_model, import_comfyui, ksampled, load_pack
from .rows import Setting

RESULTS = Path(__file__).parent / "results" / "rivals.json"
THRESHOLDS = (0.05, 0.1, 0.2, 0.4)  # 0.2 is the default of both
PARTS = {"start_percent": 0.15, "end_percent": 0.95}  # the defaults of both
STEPS, PICTURES = 28, {"flux": 12, "hunyuan_video": 4}


class Counted:
    """A model that counts the steps at which it runs: `cache` is put on it between a copy of the input, outside, and
    the counter, inside."""

    def __init__(self, patcher: object, cache: Callable[[object], object]):
        from comfy.patcher_extension import WrappersMP

        self.sigmas: set[float] = set()
        copying = patcher.clone()
        copying.add_wrapper_with_key(
            WrappersMP.DIFFUSION_MODEL, "copy", lambda run, x, *args, **kwargs: run(x.clone(), *args, **kwargs)
        )
        self.model = cache(copying)
        self.model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "counter", self._count)

    def _count(self, run: Callable, x: Tensor, times: Tensor, *args: object, **kwargs: object) -> Tensor:
        self.sigmas.add(float(times[0]))
        return run(x, times, *args, **kwargs)


def rivals() -> dict[str, Callable[[object, float], object]]:
    """ComfyUI's caches by name: a model and a threshold to the model with the cache."""
    from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode

    def cached(node: type) -> Callable[[object, float], object]:
        return lambda model, threshold: node.execute(model, threshold, **PARTS, verbose=False).result[0]

    return {"EasyCache": cached(EasyCacheNode), "LazyCache": cached(LazyCacheNode)}


def interval(count: int) -> Setting:
    """AB-Cache at even steps, in the same part of the sampling."""
    widgets = {"interval": count, "warmup_steps": 0, "final_steps": 0, **PARTS}
    return Setting(f"`interval` {count}", "ABCacheApply", widgets=widgets)


def rows(family: Family) -> list[dict]:
    """A row for each cache and threshold, beside the interval of ours that computes about as often."""
    nodes, patcher = load_pack().NODE_CLASS_MAPPINGS, comfyui_model(family)
    sampled = ksampled(family, STEPS, range(PICTURES[family.name]))
    uncached, ours = sampled(patcher), []
    for setting in map(interval, range(2, 13)):
        model, mailbox = applied(nodes, patcher, setting)
        db = psnr(sampled(model), uncached)
        ours.append({"ours": setting.name, "our_computed": mailbox.latest.computed, "our_psnr_db": db})
    found = []
    for (name, cache), threshold in product(rivals().items(), THRESHOLDS):
        counted = Counted(patcher, lambda model, cache=cache, threshold=threshold: cache(model, threshold))
        db, computed = psnr(sampled(counted.model), uncached), len(counted.sigmas)
        nearest = min(ours, key=lambda row: abs(row["our_computed"] - computed))
        found.append(
            {"model": family.title, "cache": f"{name} {threshold:g}", "computed": computed, "psnr_db": db, **nearest}
        )
    return found


def table(found: list[dict]) -> str:
    """The rows as Markdown."""
    lines = [
        "| model | cache, `reuse_threshold` | computed | PSNR | AB-Cache, `learn` off | computed | PSNR |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found:
        ours = f"{row['ours']} | {row['our_computed']} of {STEPS} | {row['our_psnr_db']:.1f} dB"
        lines.append(
            f"| {row['model'].split(' (')[0]} | {row['cache']} | {row['computed']} of {STEPS} | {row['psnr_db']:.1f} "
            f"dB | {ours} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--comfyui", type=Path, required=True, help="a ComfyUI checkout")
    parser.add_argument("--models", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    import_comfyui(arguments.comfyui)
    found = [row for name in arguments.models for row in rows(FAMILIES[name])]
    arguments.out.write_text(
        json.dumps({"steps": STEPS, "pictures": PICTURES, "rows": found}, indent=1) + "\n", encoding="utf-8"
    )
    print(table(found))


if __name__ == "__main__":
    main()

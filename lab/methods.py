"""Published caches beside AB-Cache, FEB-Cache and fewer steps, at equal work, by the contest of the nodes in a real
ComfyUI, on the lab's models.

    python3 -m lab.methods --comfyui DIR [--models flux hunyuan_video] [--settings a b k] [--pictures 4]

Goes on where it was interrupted. Seconds are not kept: the machine may be shared.
"""

import argparse
import importlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor
from tqdm import tqdm

from .condition import UNCONDITIONAL
from .demo import as_pictures
from .families import FAMILIES, FLUX, Family
from .in_comfyui import _text, comfyui_model, import_comfyui, load_pack
from .settings_cell import SETTINGS, Setting

RESULT = Path(__file__).parent / "results" / "methods.json"
SPEEDUPS = (1.5, 2.0, 3.0)
LABEL, SEED = 1, 5000  # of the prompt, and of the picture that is learned from
OWN = {"k": Setting("k", 20, cfg=3.5, shift=5)}


def row_of(family: Family, setting: Setting, speedup: float, score: object) -> dict:
    """A row of the results: one entrant of a contest."""
    return {
        "model": family.name,
        "setting": setting.text(family),
        "speedup": speedup,
        "name": score.entrant.name,
        "work": round(score.work, 2),
        "psnr_db": round(score.psnr, 2),
        "ssim": round(score.ssim, 4),
        "drift": round(score.drift, 5),
        "cache_mb": round(score.peak_bytes / 2**20, 3),
    }


def decoded(latents: Tensor) -> Tensor:
    """Pictures `(N, H, W, 3)` in [0, 1]; of clips all frames."""
    pictures = as_pictures(latents) / 2 + 0.5
    frames = pictures.movedim(1, -1)
    return frames.reshape(-1, *frames.shape[-3:])


def contest(
    pack: ModuleType, model: object, family: Family, setting: Setting, speedup: float, pictures: int, only: list[str]
) -> list:
    """Rows of one contest, and of those that took no part. `only`: names of methods; none = all."""
    import comfy.samplers
    from comfy_extras.nodes_model_advanced import ModelSamplingSD3

    def module(name: str) -> ModuleType:
        return importlib.import_module(f"{pack.__name__}.{name}")

    times = 1.0 if family is FLUX else 1000.0  # model time of pure noise
    model = ModelSamplingSD3().patch(model, shift=setting.shift or family.shift, multiplier=times)[0]
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", setting.steps)
    sampler = comfy.samplers.sampler_object(setting.solver)
    width = family.network().config.vector
    prompts = [_text(torch.tensor([label]), width) for label in (LABEL, UNCONDITIONAL)]
    latent = {"samples": torch.zeros(1, *family.latents)}
    bench = module("nodes.comfy.bench").ComfyBench(model, *prompts, setting.cfg, latent, sampler, sigmas, SEED)
    names = tuple(only or module("cache_core.methods").METHODS)
    curves = module("nodes.comfy.contest").curves_named("both")
    with tempfile.TemporaryDirectory() as folder:
        ledger = module("cache_core.calibrate").Ledger(bench, 1e6, Path(folder))
        held = module("nodes.comfy.contest").Contest(bench, ledger, decoded, speedup, names, curves, pictures)
        scores, _ = held.run()
    rows = [row_of(family, setting, speedup, score) for score in scores]
    cell = {"model": family.name, "setting": setting.text(family), "speedup": speedup}
    return rows + [{**cell, "name": name, "refused": reason} for name, reason in held.refused.items()]


def table(rows: Iterable[dict]) -> str:
    """PSNR by entrant and speed-up, with its computed evaluations, as Markdown: a table for each model and setting."""
    rows, parts = list(rows), []
    for cell in dict.fromkeys((row["model"], row["setting"]) for row in rows):
        own = [row for row in rows if (row["model"], row["setting"]) == cell and "psnr_db" in row]
        speedups = sorted({row["speedup"] for row in own})
        best = {s: max((r["psnr_db"] for r in own if r["speedup"] == s and _equal(r)), default=0.0) for s in speedups}
        names = sorted({row["name"] for row in own}, key=lambda name: (_order(own, name), name))
        parts += [f"lab {cell[0]}, {cell[1]}:", "", "| | " + " | ".join(f"{s:g}x" for s in speedups) + " |"]
        parts += ["|---|" + "---|" * len(speedups)]
        for name in names:
            found = {row["speedup"]: row for row in own if row["name"] == name}
            parts.append(f"| {name} | " + " | ".join(_cell(found.get(s), best[s]) for s in speedups) + " |")
        parts.append("")
    return "\n".join(parts).strip()


def _equal(row: dict) -> bool:
    """True for a row that computes no more than was asked, to 5 %."""
    steps = float(row["setting"].split()[1])
    return row["work"] <= 1.05 * steps / row["speedup"]


def _order(rows: list[dict], name: str) -> float:
    """Mean PSNR over the speed-ups, the best first."""
    found = [row["psnr_db"] for row in rows if row["name"] == name]
    return -sum(found) / len(found)


def _cell(row: dict | None, best: float) -> str:
    if row is None:
        return "-"
    value = f"{row['psnr_db']:.1f}"
    return f"{f'**{value}**' if row['psnr_db'] == best and _equal(row) else value} at {row['work']:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--comfyui", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--settings", nargs="+", default=["a", "b", "k"])
    parser.add_argument("--speedups", nargs="+", type=float, default=list(SPEEDUPS))
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--only", nargs="+", default=[], help="methods to measure anew; rows of others stay")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    rows = json.loads(given.out.read_text())["rows"] if given.out.exists() else []
    import_comfyui(given.comfyui)
    pack = load_pack()
    cells = [(m, s, x) for m in given.models for s in given.settings for x in given.speedups]
    with torch.inference_mode():
        for name, key, speedup in tqdm(cells, unit="contest"):
            family, setting = FAMILIES[name], {**SETTINGS, **OWN}[key]
            cell = (family.name, setting.text(family), speedup)
            known = [row for row in rows if (row["model"], row["setting"], row["speedup"]) == cell]
            if known and not given.only:
                continue
            found = contest(pack, comfyui_model(family), family, setting, speedup, given.pictures, given.only)
            new = [row for row in found if not known or row["name"].split(",")[0] in given.only]
            names = {row["name"] for row in new}
            rows = [row for row in rows if row not in known or row["name"] not in names] + new
            given.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()

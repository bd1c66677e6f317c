"""The demo's work: learn plans from the first picture, sample every setting, compare with the uncached run of the same
seeds, and write a report and a picture.

    python3 -m lab.demo --widgets --model flux --steps 50 --pictures 12    (a table of presets and widgets, no picture)
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time
from typing import Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from cache_core import RunReport
from cache_core.show import similarity

from .codec import decode
from .decoder import drawing
from .families import DRAWINGS, FLUX, SHOWN, Family
from .rows import SETTINGS, Setting, demo_settings
from .sheet import save_sheet

GUIDANCE = FLUX.guidance


class Sampler(Protocol):
    """A way to sample. `first`: the first picture of a setting, from which it learns if it does; a call: the pictures
    to compare, and the report of the run."""

    def first(self, setting: Setting) -> None: ...

    def __call__(self, setting: Setting) -> tuple[Tensor, RunReport | None]: ...


@dataclass
class Measured:
    """A setting's samples and the CPU seconds of each round, which on a shared machine say more than the clock.
    `first`: those of the first picture."""

    setting: Setting
    pictures: Tensor
    report: RunReport | None
    seconds: list[float]
    first: float


def as_pictures(latents: Tensor, family: Family = FLUX) -> Tensor:
    """What a viewer would show: decoded and clamped to [-1, 1]."""
    return (drawing if family.drawn else decode)(latents.float()).clamp(-1, 1)


def measure(sampler: Sampler, settings: Sequence[Setting], rounds: int) -> list[Measured]:
    """Every setting: its first picture, then `rounds` times in turn, so that a busy moment of the machine falls on all
    of them."""
    found = []
    sampler.first(settings[0])  # warm up
    with tqdm(total=(1 + rounds) * len(settings), unit="run") as bar:
        for setting in settings:
            bar.set_description(f"{setting.name}, first picture")
            first = _timed(sampler.first, setting)[1]
            found.append(Measured(setting, *sampler(setting), [], first))
            bar.update()
        for _ in range(rounds):
            for measured in found:
                bar.set_description(measured.setting.name)
                measured.seconds.append(_timed(sampler, measured.setting)[1])
                bar.update()
    return found


def _timed(work: object, setting: Setting) -> tuple[object, float]:
    start = process_time()
    return work(setting), process_time() - start


def psnr(pictures: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, of values in [-1, 1], averaged over pictures or clips; inf where nothing
    differs."""
    return float(similarity.psnr(pictures, reference, peak=2.0).mean())


def row(family: Family, measured: Measured, uncached: Measured, steps: int) -> dict:
    """One row of the report. Fractions are of calls; the speed-up is the median over rounds; `first_picture` is the
    time of the picture that is learned from, in uncached ones."""
    report, setting = measured.report, measured.setting
    evaluations = report.computed if report else setting.steps or steps
    model = report.shares.get("model", 1.0) if report else evaluations / steps
    shares = {kind: report.shares.get(kind, model) if report else model for kind in ("attention", "mlp")}
    ratios = [base / own for base, own in zip(uncached.seconds, measured.seconds, strict=True)]
    quality = psnr(measured.pictures, uncached.pictures)
    apart = (measured.pictures - uncached.pictures).norm() / uncached.pictures.norm()
    return {
        "name": setting.name,
        "model": family.title,
        "steps": steps,
        "evaluations": evaluations,
        "attention_computed": round(shares["attention"], 4),
        "mlp_computed": round(shares["mlp"], 4),
        "first_picture": round(measured.first / uncached.first, 2) if setting.learn else None,
        "seconds": round(median(measured.seconds), 3),
        "speedup": round(median(ratios), 3),
        "psnr_db": None if math.isinf(quality) else round(quality, 2),
        "relative_l2": round(float(apart), 6),
    }


def table(rows: list[dict]) -> str:
    """The rows as Markdown."""
    learns = any(r.get("first_picture") for r in rows)
    lines = [
        "| setting | model runs | attention | MLP |"
        + (" first picture |" if learns else "")
        + " CPU seconds | speed-up | PSNR | relative L2 |",
        "|---" * (9 if learns else 8) + "|",
    ]
    for r in rows:
        quality = "-" if r["psnr_db"] is None else f"{r['psnr_db']:.1f} dB"
        first = f"{r['first_picture']:.1f}x as long" if r.get("first_picture") else "-"
        lines.append(
            f"| {r['name']} | {r['evaluations']} of {r['steps']} | {r['attention_computed']:.0%} | "
            f"{r['mlp_computed']:.0%} | {f'{first} | ' if learns else ''}{r['seconds']:.2f} | {r['speedup']:.2f}x | "
            f"{quality} | {r['relative_l2']:.4f} |"
        )
    return "\n".join(lines)


def sampler_of(args: argparse.Namespace, family: Family) -> Sampler:
    """The lab's own loop, or a ComfyUI's KSampler."""
    if args.comfyui:
        from .in_comfyui import ComfySampler

        return ComfySampler(args.comfyui, family, args.steps, args.pictures)
    from .lab_sampler import LabSampler

    return LabSampler(family, args.steps, args.pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SHOWN, default=DRAWINGS.name)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--pictures", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--comfyui", type=Path)
    parser.add_argument("--widgets", action="store_true", help="presets and widgets instead of learned plans")
    args = parser.parse_args()
    family = SHOWN[args.model]
    settings = SETTINGS if args.widgets else demo_settings(args.steps)
    measured = measure(sampler_of(args, family), settings, args.rounds)
    rows = [row(family, m, measured[0], args.steps) for m in measured]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "report.json").write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(table(rows))
    written = [f"{args.out.name}/report.json"]
    if not args.widgets:
        written.append(f"{args.out.name}/{save_sheet(measured, rows, family, args.out).name}")
    print(f"\nWrote {' and '.join(written)}")


if __name__ == "__main__":
    torch.manual_seed(0)
    main()

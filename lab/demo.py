"""The demo's work: sample every setting, compare with the uncached run of the same seeds, write a report and
pictures."""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from tqdm import tqdm

from cache_core import RunReport
from cache_core.show import similarity

from .codec import decode
from .families import FAMILIES, FLUX, Family
from .rows import SETTINGS, Setting
from .sample import flow_sigmas, load, noise_of, sample, timeline_of
from .scenes import CLASSES

GUIDANCE = 3.0  # true classifier-free guidance: two conditionings, as most models of its kind are used
Sampler = Callable[[Setting], tuple[Tensor, RunReport | None]]


@dataclass
class Measured:
    """A setting's samples and the CPU seconds of each round, which on a shared machine say more than the clock."""

    setting: Setting
    pictures: Tensor
    report: RunReport | None
    seconds: list[float]


def lab_sampler(family: Family, steps: int, pictures: int) -> Sampler:
    """Samples with the lab's own Euler loop: pictures `(B, 3, 64, 64)`, or clips `(B, 3, T, 64, 64)`."""
    model, _ = load(family)
    noise, labels = noise_of(list(range(pictures)), family.latents), torch.arange(pictures) % len(CLASSES)
    sigmas = flow_sigmas(steps, family.shift)

    def sampler(setting: Setting) -> tuple[Tensor, RunReport | None]:
        latents, report = sample(model, noise, labels, sigmas, setting.plans(timeline_of(sigmas, GUIDANCE)), GUIDANCE)
        return as_pictures(latents), report

    return sampler


def as_pictures(latents: Tensor) -> Tensor:
    """What a viewer would show: decoded and clamped to [-1, 1]."""
    return decode(latents.float()).clamp(-1, 1)


def measure(sampler: Sampler, rounds: int) -> list[Measured]:
    """Every setting, `rounds` times in turn, so that a busy moment of the machine falls on all of them."""
    found: dict[str, Measured] = {}
    sampler(SETTINGS[0])  # warm up
    with tqdm(total=rounds * len(SETTINGS), unit="run") as bar:
        for _ in range(rounds):
            for setting in SETTINGS:
                bar.set_description(setting.name)
                start = process_time()
                pictures, report = sampler(setting)
                taken = process_time() - start
                found.setdefault(setting.name, Measured(setting, pictures, report, [])).seconds.append(taken)
                bar.update()
    return list(found.values())


def psnr(pictures: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, of values in [-1, 1], averaged over pictures or clips; inf where nothing
    differs."""
    return float(similarity.psnr(pictures, reference, peak=2.0).mean())


def row(family: Family, measured: Measured, uncached: Measured, steps: int) -> dict:
    """One row of the report. Fractions are of calls; the speed-up is the median over rounds."""
    report = measured.report
    model = 1.0 if report is None else report.shares.get("model", 1.0)
    shares = {kind: 1.0 if report is None else report.shares.get(kind, model) for kind in ("attention", "mlp")}
    ratios = [base / own for base, own in zip(uncached.seconds, measured.seconds, strict=True)]
    quality = psnr(measured.pictures, uncached.pictures)
    apart = (measured.pictures - uncached.pictures).norm() / uncached.pictures.norm()
    return {
        "name": measured.setting.name,
        "model": family.title,
        "steps": steps,
        "evaluations": steps if report is None else report.computed,
        "attention_computed": round(shares["attention"], 4),
        "mlp_computed": round(shares["mlp"], 4),
        "seconds": round(median(measured.seconds), 3),
        "speedup": round(median(ratios), 3),
        "psnr_db": None if math.isinf(quality) else round(quality, 2),
        "relative_l2": round(float(apart), 6),
    }


def table(rows: list[dict]) -> str:
    """The rows as Markdown."""
    lines = [
        "| setting | model runs | attention | MLP | CPU seconds | speed-up | PSNR | relative L2 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        quality = "-" if r["psnr_db"] is None else f"{r['psnr_db']:.1f} dB"
        lines.append(
            f"| {r['name']} | {r['evaluations']} of {r['steps']} | {r['attention_computed']:.0%} | "
            f"{r['mlp_computed']:.0%} | {r['seconds']:.2f} | {r['speedup']:.2f}x | {quality} | {r['relative_l2']:.4f} |"
        )
    return "\n".join(lines)


def contact_sheet(
    measured: list[Measured], rows: list[dict], frame: int = 0, shown: int = 12, margin: int = 330
) -> Image.Image:
    """A row of pictures per setting, its name and numbers beside it. Of clips, one `frame`."""
    edge = measured[0].pictures.shape[-1]
    shown = min(shown, len(measured[0].pictures))
    sheet = Image.new("RGB", (margin + shown * (edge + 4), len(measured) * (edge + 4)), "white")
    pen = ImageDraw.Draw(sheet)
    for line, (m, r) in enumerate(zip(measured, rows, strict=True)):
        top = line * (edge + 4)
        quality = "reference" if r["psnr_db"] is None else f"{r['psnr_db']:.1f} dB"
        pen.text((8, top + 10), r["name"], fill="black", font_size=16)
        pen.text((8, top + 34), f"{r['speedup']:.2f}x   {quality}", fill=(90, 90, 90), font_size=14)
        for column in range(shown):
            picture = m.pictures[column] if m.pictures.ndim == 4 else m.pictures[column, :, frame]
            pixels = ((picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            sheet.paste(Image.fromarray(pixels), (margin + column * (edge + 4), top))
    return sheet


def save_sheet(measured: list[Measured], rows: list[dict], family: Family, out: Path) -> Path:
    """`compare.png`, or of clips the animated `compare.webp`, which plays forth and back."""
    if family.frames == 1:
        contact_sheet(measured, rows).save(out / "compare.png")
        return out / "compare.png"
    sheets = [contact_sheet(measured, rows, frame) for frame in range(family.frames)]
    sheets += sheets[-2:0:-1]
    sheets[0].save(out / "compare.webp", save_all=True, append_images=sheets[1:], duration=200, loop=0, quality=85)
    return out / "compare.webp"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=FAMILIES, default=FLUX.name)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--comfyui", type=Path)
    args = parser.parse_args()
    family = FAMILIES[args.model]
    if args.comfyui:
        from .in_comfyui import comfyui_sampler

        sampler = comfyui_sampler(args.comfyui, family, args.steps, args.pictures)
    else:
        sampler = lab_sampler(family, args.steps, args.pictures)
    measured = measure(sampler, args.rounds)
    rows = [row(family, m, measured[0], args.steps) for m in measured]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "report.json").write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    sheet = save_sheet(measured, rows, family, args.out)
    print(table(rows))
    print(f"\nWrote {args.out.name}/report.json and {args.out.name}/{sheet.name}")


if __name__ == "__main__":
    main()

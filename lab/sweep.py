"""AB-Cache over warm-up, interval and order, with and without the limit on a prediction's gain: PSNR against the
uncached run.

    python3 -m lab.sweep

Writes lab/results/sweep.json. What DESIGN_NOTES.md says of the gain limit and of the warm-up is read off here.
"""

import json
from itertools import product
from pathlib import Path
from statistics import median

import torch
from tqdm import tqdm

from cache_core import OUTPUT, Extrapolation, Frame, Interval, Plan
from cache_core.predictor import GAIN_LIMIT

from .demo import GUIDANCE, as_pictures, psnr
from .sample import flow_sigmas, load, noise_of, sample
from .scenes import CLASSES

RESULTS = Path(__file__).parent / "results" / "sweep.json"
NO_LIMIT = float("inf")


def sweep(pictures: int = 12) -> list[dict]:
    """One row per setting: `limited` and `unlimited` are PSNR in dB, `reuse` that of order 1 at the same steps."""
    model, _ = load()
    noise, labels, rows = noise_of(list(range(pictures))), torch.arange(pictures) % len(CLASSES), []
    for steps in (50, 28):
        sigmas = flow_sigmas(steps)
        reference = as_pictures(sample(model, noise, labels, sigmas, guidance=GUIDANCE)[0])
        for warmup, interval in tqdm(list(product((3, 5, 8), (3, 4, 5, 6)))):
            schedule, found = Interval(OUTPUT, interval, Frame(warmup)), {}
            for order, limit in ((1, NO_LIMIT), (2, GAIN_LIMIT), (2, NO_LIMIT), (3, GAIN_LIMIT), (3, NO_LIMIT)):
                plans = (Plan(schedule, Extrapolation(order, gain_limit=limit)),)
                latents, report = sample(model, noise, labels, sigmas, plans, GUIDANCE)
                found[order, limit] = round(psnr(as_pictures(latents), reference), 2)
            rows += [
                {
                    "steps": steps,
                    "warmup": warmup,
                    "interval": interval,
                    "evaluations": report.computed,
                    "order": order,
                    "reuse": found[1, NO_LIMIT],
                    "limited": found[order, GAIN_LIMIT],
                    "unlimited": found[order, NO_LIMIT],
                }
                for order in (2, 3)
            ]
    return rows


def main() -> None:
    rows = sweep()
    RESULTS.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print("steps warm-up interval evaluations order |  reuse  limited  unlimited (dB)")
    for r in rows:
        print(
            f"{r['steps']:5d} {r['warmup']:7d} {r['interval']:8d} {r['evaluations']:11d} {r['order']:5d} | "
            f"{r['reuse']:6.1f} {r['limited']:8.1f} {r['unlimited']:10.1f}"
        )
    for order in (2, 3):
        gains = [r["limited"] - r["unlimited"] for r in rows if r["order"] == order]
        print(
            f"order {order}: the limit is worth {median(gains):.1f} dB (median of {len(gains)} settings; "
            f"{min(gains):.1f} to {max(gains):.1f})"
        )


if __name__ == "__main__":
    main()

"""What each part of a calibration is worth, and what samples and budget are: `python3 scripts/lab.py quality`, last
table."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from cache_core.calibrate import Request

from .families import FAMILIES, FLUX
from .quality import Bench

RESULT = Path(__file__).parent / "results" / "ablation.json"
STEPS, SPEEDUP = 50, 4
WHOLE = Request(SPEEDUP)
WITHOUT = {
    "everything": {},
    "no growth of errors in the schedule": {"grown": False},
    "no planned schedule": {"planned": False},
    "no fitted predictions": {"between": False},
    "nothing fitted": {"fitted": False},
    "no refinement": {"refined": False},
    "no last fit to all samples": {"refitted": False},
}
SPENT = [(samples, budget) for samples in (1, 4, 8) for budget in (2, 12, 100)]


def requests() -> dict[str, Request]:
    """By name, what is asked of a calibration. A budget that does not pay for the samples gives fewer of them."""
    parts = {name: replace(WHOLE, **off) for name, off in WITHOUT.items()}
    return parts | {
        f"{samples} samples, {budget} generations": replace(WHOLE, samples=samples, budget=budget)
        for samples, budget in SPENT
    }


def table(rows: list[dict]) -> str:
    lines = ["| calibration | PSNR | drift it measured itself |", "|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| {row['setting']} | {row['psnr_db']:.1f} dB | {row['drift']:.4f} |" for row in rows)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=FAMILIES, default=FLUX.name)
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    bench, rows = Bench(FAMILIES[args.model], STEPS), []
    for name, request in tqdm(requests().items(), desc=f"{args.model}, {SPEEDUP}x of {STEPS} steps"):
        plan = bench.planned(request)
        row = bench.row(name, plan.plan(bench.lab.timeline, name))
        rows.append({**row, "samples": plan.origin.samples, "budget": request.budget, "drift": round(plan.drift, 5)})
        args.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()

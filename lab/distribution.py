"""Quality of the pictures as a set, whichever one each seed gives: Frechet distances to drawn scenes. `python3
scripts/lab.py distribution`.

FEB-Cache's claim is of this kind (its table alone makes FID worse, with noise scaling it is better than without a
cache: METHODS.md section 2).
"""

import argparse
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from time import process_time

import torch
from torch import Tensor
from tqdm import tqdm

from cache_core import OUTPUT, Extrapolation, Plan, Steps, evenly
from cache_core.calibrate import Ledger, Request, calibrate_modules, calibrate_output
from cache_core.predictor import GAIN_LIMIT
from cache_core.saved_plan.saved_plan import Origin

from .bench import FIRST_CALIBRATED, LabBench
from .demo import GUIDANCE, as_pictures
from .families import FLUX
from .frechet import Statistics, features, frechet, reference
from .quality import Bench, inside
from .rows import UNCACHED, Setting
from .sample import flow_sigmas, sample, uncached_velocity
from .solvers import SOLVERS

RESULT = Path(__file__).parent / "results" / "distribution.json"
SAMPLES, CHUNK, STEPS, SPEEDUP, FEB_BUDGET = 2000, 50, 28, 3, 64.0
REFERENCE = 20_000  # drawn scenes: costs next to nothing, and leaves the noise to the samples
TEXT, CODE = (
    {"noise_scale_high": 0.98, "noise_scale_low": 0.96},
    {"noise_scale_high": 1.0363, "noise_scale_low": 1.0363},
)
EVERY_3RD = {"fragile_interval": 3, "warmup_steps": 8}
FEB = tuple(
    Setting(f"FEB-Cache, {name}", "FEBCacheApply", widgets=widgets)
    for name, widgets in (
        ("scaling of the paper's text, nothing cached", {"attention_interval": 1, "mlp_interval": 1, **TEXT}),
        ("released table", {"table": "released"}),
        ("released table, scaling of the paper's text", {"table": "released", **TEXT}),
        ("released table, scaling of the released code", {"table": "released", **CODE}),
        ("every 3rd step", EVERY_3RD),
        ("every 3rd step, scaling of the released code", {**EVERY_3RD, **CODE}),
    )
)
UNLEARNED = tuple(
    Setting(f"{node}, balanced, before a plan is learned", f"{node.replace('-', '')}Apply", "balanced")
    for node in ("AB-Cache", "FEB-Cache")
)
Draw = Callable[[range], Tensor]


def settings(bench: LabBench) -> dict[str, Draw]:
    """Ways to draw the latents of some seeds, by name."""
    count = round(STEPS / SPEEDUP)
    even = Steps(OUTPUT, evenly(STEPS, count))
    drawn = {setting.name: planned(bench, setting.plans(bench.timeline)) for setting in (UNCACHED, *FEB, *UNLEARNED)}
    drawn |= {f"{count} steps of {name}": fewer(bench, name, count) for name in SOLVERS}
    for order in (1, 2):
        drawn[f"AB-Cache, {count} even steps, order {order}"] = planned(
            bench, (Plan(even, Extrapolation(order, gain_limit=GAIN_LIMIT)),)
        )
    drawn |= {
        name.replace("even steps", f"{count} even steps"): planned(bench, (plan,))
        for name, plan in inside(bench.timeline, count)[:2]
    }
    learned = LabBench(bench.family, STEPS, 10 * FIRST_CALIBRATED, bench.model)  # other seeds than are drawn
    output, modules = Request(SPEEDUP), Request(SPEEDUP, budget=FEB_BUDGET)

    def calibrated_modules() -> Plan:
        found = calibrate_modules(Ledger(learned, modules.budget), Origin(""), modules, process_time)
        return found.plan.plan(bench.timeline, "calibrated")

    def calibrated_output() -> Plan:
        found = calibrate_output(Ledger(learned, output.budget), Origin(""), output)
        return found.plan.plan(bench.timeline, "calibrated")

    found = {
        "AB-Cache, tolerance, order 2": lambda: Bench(bench.family, STEPS).tolerance(count),
        f"AB-Cache, {count} steps, calibrated": calibrated_output,
        f"FEB-Cache, {SPEEDUP}x by compute, calibrated": calibrated_modules,
    }
    return drawn | {name: later(bench, find) for name, find in found.items()}


def later(bench: LabBench, find: Callable[[], Plan]) -> Draw:
    """A way to draw with a plan that is looked for when samples are drawn for the first time."""
    once = cache(find)
    return lambda seeds: planned(bench, (once(),))(seeds)


def planned(bench: LabBench, plans: tuple[Plan, ...]) -> Draw:
    return lambda seeds: sample(bench.model, *bench.drawn(seeds), bench.sigmas, plans, GUIDANCE)[0]


def fewer(bench: LabBench, solver: str, count: int) -> Draw:
    """Samples in just `count` steps of a solver."""

    def draw(seeds: range) -> Tensor:
        noise, labels = bench.drawn(seeds)
        return SOLVERS[solver](
            uncached_velocity(bench.model, labels, GUIDANCE), noise, flow_sigmas(count, bench.family.shift)
        )

    return draw


def statistics_of(found: Tensor) -> Statistics:
    return Statistics(found.double().mean(0), found.double().T.cov(), len(found))


def distance(draw: Draw, scenes: Statistics, samples: int) -> float:
    """Distance of so many samples, drawn in chunks."""
    found = [
        features(as_pictures(draw(range(start, min(start + CHUNK, samples))))) for start in range(0, samples, CHUNK)
    ]
    return frechet(statistics_of(torch.cat(found)), scenes)


def table(rows: list[dict]) -> str:
    lines = [
        f"| {rows[0]['samples']} samples, {rows[0]['steps']} steps | Fréchet distance to drawn scenes | against "
        "uncached |",
        "|---|---|---|",
    ]
    base = next(row["frechet"] for row in rows if row["setting"] == UNCACHED.name)
    return "\n".join(
        [*lines, *(f"| {row['setting']} | {row['frechet']:.3f} | {row['frechet'] - base:+.3f} |" for row in rows)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    bench = LabBench(FLUX, STEPS)
    rows = json.loads(args.out.read_text())["rows"] if args.out.exists() else []
    rows = [row for row in rows if row["samples"] == args.samples]  # what an earlier run has measured stays
    scenes = statistics_of(
        torch.cat([features(reference(FLUX, 500, seed)) for seed in tqdm(range(REFERENCE // 500), desc="scenes")])
    )
    drawn = {"other drawn scenes": None, **settings(bench)}
    for name, draw in tqdm(drawn.items(), desc="settings"):
        if name in {row["setting"] for row in rows}:
            continue
        apart = (
            distance(draw, scenes, args.samples)
            if draw
            else frechet(statistics_of(features(reference(FLUX, args.samples, 10**6))), scenes)
        )
        rows.append({"setting": name, "samples": args.samples, "steps": STEPS, "frechet": round(apart, 4)})
        args.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()

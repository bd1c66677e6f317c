"""FEB-Cache at equal measured compute: uniform tables, rules and published lists against calibrated plans. `python3
scripts/lab.py feb`."""

import argparse
import json
import math
from collections.abc import Iterator
from copy import copy
from dataclasses import asdict, replace
from pathlib import Path
from time import process_time

import torch
from torch import Tensor
from tqdm import tqdm

from cache_core import Plan, Released, Table, Timeline, evenly
from cache_core.calibrate import Found, Ledger, Request, Watch
from cache_core.calibrate.modules import Measured, candidates, found_in, full_steps, measure
from cache_core.noise_scale import OFF, PAPER_TEXT, RELEASED_CODE, NoiseScale
from cache_core.predictor import GAIN_LIMIT, Extrapolation
from cache_core.saved_plan.curves import BANDS, REUSED, STAGES
from cache_core.saved_plan.saved_plan import Origin, SavedPlan
from cache_core.schedule import TableAt, from_steps
from cache_core.site import MODULES

from .algorithm_1 import algorithm_1, error_of, stage_rule
from .demo import GUIDANCE, as_pictures, psnr
from .exposure import exposure, matched_scale
from .families import FAMILIES, Family
from .sample import flow_sigmas, load, noise_of, sample
from .scenes import CLASSES

RESULT = Path(__file__).parent / "results" / "feb.json"
SPEEDUPS, BUDGET, SAMPLES = (1.5, 2.0, 3.0), 64.0, 8
TESTED, FIRST_CALIBRATED = 24, 1000  # so many seeds from 0 on are tested; those from 1000 on are calibrated with


class FebBench:
    """A lab model and its sampling (calibrate.Bench), with the tested seeds beside those that it calibrates with."""

    def __init__(self, family: Family, steps: int):
        self.family, self.model = family, load(family)[0]
        self.timeline, self.scale = Timeline.flow(flow_sigmas(steps, family.shift)), (1.0,) * steps
        self.tested = range(TESTED)
        started = process_time()
        self.signal = tuple(1 - sigma for sigma in self.timeline.sigmas[:-1])
        self.uncached = self.run(self.tested)
        self.seconds = process_time() - started

    def sample(self, number: int, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        return self.run([FIRST_CALIBRATED + number], plans, watch)

    def run(self, seeds: range | list[int], plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        labels = torch.tensor([seed % len(CLASSES) for seed in seeds])
        return sample(
            self.model,
            noise_of(list(seeds), self.family.latents),
            labels,
            self.timeline.sigmas,
            plans,
            GUIDANCE,
            watch=watch,
        )[0]

    def row(self, setting: str, plan: Plan, measured: Measured, budget: float | None) -> dict:
        """How far the plan's samples of the tested seeds are from the uncached ones, and at what compute."""
        started = process_time()
        samples = self.run(self.tested, (plan,))
        seconds = process_time() - started
        speedup = measured.costs.speedup(plan.schedule.table(self.timeline))
        return {
            "model": self.family.title,
            "steps": self.timeline.steps,
            "setting": setting,
            "budget": budget,
            "speedup": round(speedup, 3),
            "cpu_speedup": round(self.seconds / seconds, 3),
            "psnr_db": round(psnr(as_pictures(samples), as_pictures(self.uncached)), 2),
            "relative_l2": round(float((samples - self.uncached).norm() / self.uncached.norm()), 5),
        }


def calibrated(bench: FebBench, budget: float = BUDGET) -> tuple[Ledger, Measured]:
    ledger = Ledger(bench, budget)
    return ledger, measure(ledger, SAMPLES, process_time)


def compared(bench: FebBench, measured: Measured, speedup: float) -> dict[str, Plan]:
    """Plans at one budget, by name: even steps and the presets', reused and extrapolated, the planned ones that a
    calibration fits, and the rules of the paper."""
    costs, timeline = measured.costs, bench.timeline
    found = candidates(measured, bench.signal, full_steps(costs, timeline.steps, speedup))
    tables = {c.name: (from_steps(MODULES, c.steps, timeline.steps), 2) for c in found}
    tables |= {f"{c.name}, reuse": (from_steps(MODULES, c.steps, timeline.steps), 1) for c in (found[0], found[-1])}
    errors = [error_of(trials, banded=True) for trials in measured.passes]
    voted = algorithm_1(errors, timeline.times, lambda table: costs.speedup(table) >= speedup)
    ruled = stage_rule(timeline, costs, speedup)
    tables |= {"Algorithm 1": (voted, 1), **({"stage rule": (ruled, 1)} if ruled else {})}
    return {name: as_run(bench, table, order) for name, (table, order) in tables.items()}


def as_run(bench: FebBench, table: Table, order: int) -> Plan:
    """The plan of a table, as a saved plan runs."""
    saved = SavedPlan(Origin("", samples=1), TableAt(table, bench.timeline.sigmas), order=order)
    return saved.plan(bench.timeline, "compared")


def rows_of(bench: FebBench, ledger: Ledger, measured: Measured, speedup: float) -> tuple[list[dict], dict]:
    """All settings at one budget, and the report of the calibration."""
    rows = [bench.row(name, plan, measured, speedup) for name, plan in compared(bench, measured, speedup).items()]
    own = copy(ledger)  # each plan pays for itself
    found = found_in(own, measured, Origin(""), Request(speedup, budget=ledger.total))
    row = bench.row("calibrated", found.plan.plan(bench.timeline, "calibrated"), measured, speedup)
    rows.append(row | {"chosen": found.ranking[0].name})
    return rows, facts(bench, speedup, measured, found) | {"of_which_measuring": round(ledger.spent, 1)}


def facts(bench: FebBench, speedup: float, measured: Measured, found: Found) -> dict:
    """Findings of a calibration, for the result file."""
    ranking = [{"name": c.name, "speedup": c.speedup, "drift": c.drift, "samples": c.samples} for c in found.ranking]
    return {
        "model": bench.family.title,
        "steps": bench.timeline.steps,
        "budget": speedup,
        "costs": asdict(measured.costs),
        "compared": ranking,
        "uncached_generations": round(found.spent, 1),
    }


def released_row(bench: FebBench, measured: Measured, order: int, scale: NoiseScale) -> dict:
    """The authors' table, at the compute it happens to have."""
    name = f"released table, {'reuse' if order == 1 else f'order {order}'}" + (
        ", paper's scale" if scale.active else ""
    )
    return bench.row(
        name, Plan(Released(), Extrapolation(order, gain_limit=GAIN_LIMIT), scale, merge=True), measured, None
    )


def scaling(bench: FebBench, measured: Measured, speedup: float = 2.0) -> tuple[list[dict], list[dict]]:
    """Rows of a uniform table with no scale, the matched one, and the two published ones; and exposure rows of the
    first two."""
    steps = evenly(bench.timeline.steps, full_steps(measured.costs, bench.timeline.steps, speedup))
    plan = as_run(bench, from_steps(MODULES, steps, bench.timeline.steps), 1)
    scales = {
        "cached": OFF,
        "cached, matched scale": matched_scale(bench, plan, measured),
        "cached, paper's text": PAPER_TEXT,
        "cached, released code": RELEASED_CODE,
    }
    plans = {name: replace(plan, corrector=scale) for name, scale in scales.items()}
    rows = [
        bench.row(name, p, measured, speedup) | {"high": scales[name].high, "low": scales[name].low}
        for name, p in plans.items()
    ]
    return rows, exposure(bench, {name: plans[name] for name in list(plans)[:2]})


def curve_rows(bench: FebBench, measured: Measured) -> list[dict]:
    """The error curves, one row for each."""
    return [
        {
            "model": bench.family.title,
            "steps": bench.timeline.steps,
            "stage": stage,
            "reused": reused,
            "band": band,
            "relative_error_by_age": [
                None if math.isnan(e) else round(e, 5) for e in measured.curves.of(stage, reused, band)
            ],
        }
        for stage in STAGES
        for reused in REUSED
        for band in BANDS
    ]


def table(rows: list[dict]) -> str:
    """PSNR by setting and budget, as Markdown; in brackets the speed-up in measured compute."""
    budgets = list(dict.fromkeys(row["budget"] for row in rows))
    heads = (f"{budget}x" if budget else "its own" for budget in budgets)
    lines = [f"| model | steps | setting | {' | '.join(heads)} |", "|---|---|---|" + "---|" * len(budgets)]
    for model, steps, setting in dict.fromkeys((row["model"], row["steps"], row["setting"]) for row in rows):
        found = {
            row["budget"]: row
            for row in rows
            if (row["model"], row["steps"], row["setting"]) == (model, steps, setting)
        }
        shown = (f"{found[b]['psnr_db']:.1f} dB ({found[b]['speedup']:.2f}x)" if b in found else "-" for b in budgets)
        lines.append(f"| {model.split(' (')[0]} | {steps} | {setting} | {' | '.join(shown)} |")
    return "\n".join(lines)


def measured_on(family: Family, steps: int) -> Iterator[dict[str, list[dict]]]:
    """Everything about one model and step count, part by part."""
    bench = FebBench(family, steps)
    lab, measured = calibrated(bench)
    yield {"curves": curve_rows(bench, measured)}
    for speedup in tqdm(SPEEDUPS, desc=f"{family.name}, {steps} steps"):
        rows, found = rows_of(bench, lab, measured, speedup)
        yield {"rows": rows, "calibrations": [found]}
    yield {
        "rows": [released_row(bench, measured, order, scale) for order, scale in ((1, OFF), (2, OFF), (1, PAPER_TEXT))]
    }
    scaled, exposed = scaling(bench, measured)
    yield {"scaling": scaled, "exposure": exposed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--steps", nargs="+", type=int, default=[50, 28])
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    result: dict[str, list[dict]] = {"rows": [], "calibrations": [], "curves": [], "scaling": [], "exposure": []}
    for name, steps in ((name, steps) for name in args.models for steps in args.steps):
        for part in measured_on(FAMILIES[name], steps):
            for kind, rows in part.items():
                result[kind] += rows
            args.out.write_text(json.dumps(result, indent=1) + "\n")  # at once: it takes a while
    print(table(result["rows"]))


if __name__ == "__main__":
    main()

"""FEB-Cache at equal measured compute: even steps, the prior's, rules and published lists against learned plans.
`python3 scripts/lab.py feb`."""

import argparse
import json
import math
from collections.abc import Iterator
from copy import copy
from dataclasses import asdict, replace
from pathlib import Path
from time import process_time

from torch import Tensor
from tqdm import tqdm

from cache_core import Plan, Released, Table, evenly
from cache_core.calibrate import Found, Ledger, Lesson, Request, Watch
from cache_core.calibrate.modules import Measured, found_in, full_steps, measure
from cache_core.noise_scale import OFF, PAPER_TEXT, RELEASED_CODE, NoiseScale
from cache_core.predictor import GAIN_LIMIT, Extrapolation
from cache_core.saved_plan.curves import BANDS, REUSED, STAGES
from cache_core.saved_plan.saved_plan import Origin, SavedPlan
from cache_core.schedule import TableAt, from_steps
from cache_core.settings.foreseen import foreseen
from cache_core.site import MODULES

from .algorithm_1 import algorithm_1, error_of, stage_rule
from .bench import LabBench
from .demo import as_pictures, psnr
from .exposure import exposure, matched_scale
from .families import FAMILIES, Family

RESULT = Path(__file__).parent / "results" / "feb.json"
SPEEDUPS, BUDGET, SAMPLES = (1.5, 2.0, 3.0), 64.0, 8
TESTED = 24  # so many seeds from 0 on are tested; a calibration has others


class FebBench(LabBench):
    """A lab model and its sampling, with the tested seeds beside those that it calibrates with."""

    def __init__(self, family: Family, steps: int):
        super().__init__(family, steps)
        self.tested = range(TESTED)
        started = process_time()
        self.uncached = self.sampled()
        self.seconds = process_time() - started

    def sampled(self, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        """The final latents of the tested seeds."""
        return self.run(*self.drawn(self.tested), plans, watch)

    def row(self, setting: str, plan: Plan, measured: Measured, budget: float | None) -> dict:
        """Distance of the plan's samples of the tested seeds from the uncached ones, and its compute."""
        started = process_time()
        samples = self.sampled((plan,))
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
    """The measurements of a calibration, and the book that they are paid from."""
    ledger = Ledger(bench, budget)
    return ledger, measure(ledger, SAMPLES, process_time)


def compared(bench: FebBench, measured: Measured, speedup: float) -> dict[str, Plan]:
    """Plans at one budget, by name: even steps, the prior's with and without its weights, and the rules of the
    paper."""
    costs, timeline = measured.costs, bench.timeline
    count = full_steps(costs, timeline.steps, speedup)
    prior = foreseen(timeline, MODULES, "prior", timeline.steps / count)
    even = from_steps(MODULES, evenly(timeline.steps, count), timeline.steps)
    errors = [error_of(trials, banded=True) for trials in measured.passes]
    voted = algorithm_1(errors, timeline.times, lambda table: costs.speedup(table) >= speedup)
    ruled = stage_rule(timeline, costs, speedup)
    return {
        "even steps, reuse": as_run(bench, even, 1),
        "even steps, order 2": as_run(bench, even, 2),
        "the prior's steps, order 2": as_run(bench, prior.schedule.table(timeline), 2),
        "the prior's steps and weights": prior,
        "Algorithm 1": as_run(bench, voted, 1),
        **({"stage rule": as_run(bench, ruled, 1)} if ruled else {}),
    }


def as_run(bench: FebBench, table: Table, order: int) -> Plan:
    """The plan of a table, as a saved plan runs."""
    saved = SavedPlan(Origin("", samples=1), TableAt(table, bench.timeline.sigmas), order=order)
    return saved.plan(bench.timeline, "compared")


def rows_of(bench: FebBench, ledger: Ledger, measured: Measured, speedup: float) -> tuple[list[dict], dict]:
    """All settings at one budget, and the report of the calibration."""
    rows = [bench.row(name, plan, measured, speedup) for name, plan in compared(bench, measured, speedup).items()]
    own = copy(ledger)  # each plan pays for itself
    found = found_in(own, measured, Origin(""), Request(speedup, budget=ledger.total))
    lesson = Lesson(copy(ledger), measured.recorded, MODULES, Origin(""), lambda plan: None, measured.costs)
    one = lesson.learned(full_steps(measured.costs, bench.timeline.steps, speedup), 1)
    for name, learned in (("learned from 1 picture", one), ("calibrated", found)):
        rows.append(bench.row(name, learned.plan.plan(bench.timeline, name), measured, speedup))
    return rows, facts(bench, speedup, measured, found) | {"of_which_measuring": round(ledger.spent, 1)}


def facts(bench: FebBench, speedup: float, measured: Measured, found: Found) -> dict:
    """Findings of a calibration, for the result file."""
    return {
        "model": bench.family.title,
        "steps": bench.timeline.steps,
        "budget": speedup,
        "costs": asdict(measured.costs),
        "samples": found.plan.origin.samples,
        "drift": round(found.plan.drift, 5),
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

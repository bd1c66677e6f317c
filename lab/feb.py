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

from cache_core import Plan, Released, Timeline
from cache_core.calibrate import Allowance, Recorder, Watch
from cache_core.calibrate.candidates import candidates
from cache_core.calibrate.exposure import fit_scale, noise_sizes
from cache_core.calibrate.feb import BUDGET, FebReport, Measured, choose, measure
from cache_core.calibrate.laboratory import Laboratory
from cache_core.noise_scale import OFF, PAPER_TEXT, RELEASED_CODE, NoiseScale
from cache_core.predictor import GAIN_LIMIT, Extrapolation
from cache_core.saved_plan.curves import BANDS, REUSED, STAGES
from cache_core.saved_plan.saved_plan import Origin

from .codec import encode
from .demo import GUIDANCE, as_pictures, psnr
from .families import FAMILIES, Family
from .sample import flow_sigmas, load, noise_of, sample, uncached_velocity
from .scenes import CLASSES, film

RESULT = Path(__file__).parent / "results" / "feb.json"
SPEEDUPS = (1.5, 2.0, 3.0)
TESTED, FIRST_CALIBRATED = 24, 1000  # so many seeds from 0 on are tested; those from 1000 on are calibrated with


class FebBench:
    """A lab model and its sampling (cache_core.calibrate.Bench), with the tested seeds beside those it calibrates with."""

    def __init__(self, family: Family, steps: int):
        self.family, self.model = family, load(family)[0]
        self.timeline, self.scale = Timeline.flow(flow_sigmas(steps, family.shift)), (1.0,) * steps
        self.tested = range(TESTED)
        started = process_time()
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


def calibrated(bench: FebBench, budget: float = BUDGET) -> tuple[Laboratory, Measured]:
    lab = Laboratory(bench, Allowance(budget))
    return lab, measure(lab, clock=process_time)


def rows_of(bench: FebBench, lab: Laboratory, measured: Measured, speedup: float) -> tuple[list[dict], dict]:
    """All settings at one budget, and what the calibration reports."""
    found = candidates(measured.passes, bench.timeline, measured.costs, measured.gain, speedup)
    rows = [bench.row(c.name, c.plan(bench.timeline), measured, speedup) for c in found]
    plan, report = choose(
        replace(lab, allowance=copy(lab.allowance)), measured, Origin(""), speedup
    )  # a copy: each plan pays for itself
    rows.append(
        bench.row("calibrated", plan.plan(bench.timeline, "calibrated"), measured, speedup)
        | {"chosen": report.compared[0].name}
    )
    return rows, facts(bench, speedup, report) | {"of_which_measuring": round(lab.allowance.spent, 1)}


def facts(bench: FebBench, speedup: float, report: FebReport) -> dict:
    """What a calibration found, for the result file."""
    scale = None if report.scale is None else {"high": report.scale.high, "low": report.scale.low}
    return {
        "model": bench.family.title,
        "steps": bench.timeline.steps,
        "budget": speedup,
        "costs": asdict(report.costs),
        "compared": [asdict(c) for c in report.compared],
        "noise_scale": scale,
        "drift_unscaled": report.unscaled,
        "drift_scaled": report.scaled,
        "uncached_generations": round(report.spent, 1),
        "gain": [round(g, 4) for g in report.gain],
    }


def released_row(bench: FebBench, measured: Measured, order: int, scale: NoiseScale) -> dict:
    """The authors' table, at the compute it happens to have."""
    name = f"released table, {'reuse' if order == 1 else f'order {order}'}" + (
        ", paper's scale" if scale.active else ""
    )
    return bench.row(
        name, Plan(Released(), Extrapolation(order, gain_limit=GAIN_LIMIT), scale, merge=True), measured, None
    )


def exposure(bench: FebBench, plans: dict[str, Plan]) -> list[dict]:
    """Exposure bias: mean size of the predicted noise at each step, on states of training (real scenes with noise on
    them), uncached, and in a run of each plan, over as many samples as are tested. The guided model in all of them;
    only the states differ.

    FEB-Cache, arXiv 2503.07120, section 3.1: E||eps_sampled|| against E||eps_training||. Root mean square, 1 for
    true noise.
    """
    sizes = {"training": training_sizes(bench), "uncached": sampled_sizes(bench, ())}
    sizes |= {name: sampled_sizes(bench, (plan,)) for name, plan in plans.items()}
    return [
        {
            "model": bench.family.title,
            "steps": bench.timeline.steps,
            "step": step,
            "sigma": round(sigma, 5),
            **{name: round(found[step], 5) for name, found in sizes.items()},
        }
        for step, sigma in enumerate(bench.timeline.sigmas[:-1])
    ]


def sampled_sizes(bench: FebBench, plans: tuple[Plan, ...]) -> tuple[float, ...]:
    recorder = Recorder(bench.timeline, bench.scale)
    bench.run(bench.tested, plans, recorder)
    return noise_sizes(recorder.recording())


def training_sizes(bench: FebBench) -> tuple[float, ...]:
    """On states of training: scenes of the tested classes, with the tested noise."""
    labels = torch.tensor([seed % len(CLASSES) for seed in bench.tested])
    noise = noise_of(list(bench.tested), bench.family.latents)
    clean = encode(film(labels, torch.Generator().manual_seed(FIRST_CALIBRATED), bench.family.frames)).view(noise.shape)
    velocity, recorder = uncached_velocity(bench.model, labels, GUIDANCE), Recorder(bench.timeline, bench.scale)
    for sigma in bench.timeline.sigmas[:-1]:
        state = (1 - sigma) * clean + sigma * noise
        recorder.begin(sigma, state)
        recorder.end(velocity(state, sigma))
    return noise_sizes(recorder.recording())


def matched_scale(bench: FebBench, plan: Plan, measured: Measured) -> NoiseScale:
    """The noise scale that brings the sizes of a plan's predictions to the uncached ones, on the calibration samples."""
    cached = []
    for number in range(len(measured.passes)):
        recorder = Recorder(bench.timeline, bench.scale)
        bench.sample(number, (plan,), recorder)
        cached.append(noise_sizes(recorder.recording()))
    return fit_scale(cached, [noise_sizes(found.trials.recording) for found in measured.passes], bench.timeline.times)


def scaling(bench: FebBench, measured: Measured, speedup: float = 2.0) -> tuple[list[dict], list[dict]]:
    """Rows of a uniform table with no scale, the matched one, and the two published ones; and exposure rows of the
    first two."""
    plan = candidates(measured.passes, bench.timeline, measured.costs, measured.gain, speedup)[0].plan(bench.timeline)
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

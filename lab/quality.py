"""Quality at equal numbers of evaluations: even steps against steps and weights planned from recorded runs. `python3 scripts/lab.py quality`."""

import argparse
import json
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from tqdm import tqdm

from cache_core import OUTPUT, Plan, Predictor, Steps, Timeline, evenly
from cache_core.cache_plan import Origin, model_plan
from cache_core.calibrate import Normal, Recorder, Recording, Tracker, best_steps, first_gap
from cache_core.predictor import GAIN_LIMIT

from .demo import GUIDANCE, as_pictures, psnr
from .families import FAMILIES, Family
from .sample import flow_sigmas, load, noise_of, sample, uncached_velocity
from .scenes import CLASSES
from .solvers import SOLVERS

RESULT = Path(__file__).parent / "results" / "quality.json"
SPEEDUPS = (2, 3, 4, 5)
TESTED, CLIPS, FIRST_CALIBRATED = 24, 8, 1000  # seeds from 0 on are tested, so many pictures or clips; those from 1000 on are learned from
ALONE = 4  # plans from one picture: so many, each of another picture
TOGETHER = 8


class Bench:
    """A lab model, its sampling, and the uncached samples of the tested seeds."""

    def __init__(self, family: Family, steps: int):
        self.family, self.steps = family, steps
        self.model: nn.Module = load(family)[0]
        self.sigmas = flow_sigmas(steps, family.shift)
        self.timeline = Timeline.flow(self.sigmas)
        self.tested = self.drawn(range(TESTED if family.frames == 1 else CLIPS))
        self.uncached = self.sample(self.tested)

    def drawn(self, seeds: range) -> tuple[Tensor, Tensor]:
        """Noise and labels of some seeds."""
        return noise_of(list(seeds), self.family.latents), torch.tensor([seed % len(CLASSES) for seed in seeds])

    def sample(self, drawn: tuple[Tensor, Tensor], plans: tuple[Plan, ...] = (), watch: Recorder | Tracker | None = None) -> Tensor:
        return sample(self.model, *drawn, self.sigmas, plans, GUIDANCE, watch=watch)[0]

    def row(self, name: str, count: int, plan: Plan) -> dict:
        """How far the plan's samples are from the uncached ones."""
        return self.compared(name, count, self.sample(self.tested, (plan,)))

    def fewer(self, solver: str, count: int) -> dict:
        """How far samples in just `count` steps of a solver are from the uncached ones."""
        noise, labels = self.tested
        samples = SOLVERS[solver](uncached_velocity(self.model, labels, GUIDANCE), noise, flow_sigmas(count, self.family.shift))
        return self.compared(f"fewer steps of {solver}", count, samples)

    def compared(self, name: str, count: int, samples: Tensor) -> dict:
        return {"model": self.family.title, "steps": self.steps, "setting": name, "evaluations": count,
                "psnr_db": round(psnr(as_pictures(samples), as_pictures(self.uncached)), 2),
                "relative_l2": round(float((samples - self.uncached).norm() / self.uncached.norm()), 5)}

    def recorded(self, seed: int) -> Recording:
        recorder = Recorder(self.timeline, (1.0,) * self.steps)
        self.sample(self.drawn(range(seed, seed + 1)), watch=recorder)
        return recorder.recording()

    def planned(self, recordings: dict[int, Recording], count: int) -> Plan:
        """The plan of `count` computed steps from the recordings, by seed: one schedule for all, weights fitted to one after the other."""
        first, normal = next(iter(recordings.values())), Normal()
        gram = sum(recording.gram() for recording in recordings.values())
        steps = best_steps(gram.numpy(), first.nodes, first.weights, count, first_gap(self.steps))
        for seed, recording in recordings.items():
            tracker = Tracker(recording, normal=normal)
            self.sample(self.drawn(range(seed, seed + 1)), (Plan(Steps(OUTPUT, steps), tracker),), tracker)
        return model_plan(steps, self.sigmas, Origin(""), tuple(tracker.fits.values())).plan(self.timeline, "planned")


def rows_of(bench: Bench, speedup: int, recordings: dict[int, Recording]) -> list[dict]:
    """All settings at one speed-up."""
    count = round(bench.steps / speedup)
    even = Steps(OUTPUT, evenly(bench.steps, count))
    rows = [bench.fewer(solver, count) for solver in SOLVERS]
    rows += [bench.row(name, count, Plan(even, predictor)) for name, predictor in
            (("even steps, reuse", Predictor(1)), ("even steps, order 2", Predictor(2, gain_limit=GAIN_LIMIT)),
             ("even steps, order 3", Predictor(3, gain_limit=GAIN_LIMIT)))]
    alone = [bench.row("", count, bench.planned({seed: recordings[seed]}, count)) for seed in list(recordings)[:ALONE]]
    middle = {key: round(median(row[key] for row in alone), 5) for key in ("psnr_db", "relative_l2")}
    worst = min(row["psnr_db"] for row in alone)
    rows.append({**rows[0], "setting": f"planned from 1 picture (median of {ALONE})", **middle, "worst_psnr_db": worst})
    rows.append(bench.row(f"planned from {TOGETHER} pictures", count, bench.planned(recordings, count)))
    return [{**row, "speedup": speedup} for row in rows]


def table(rows: list[dict]) -> str:
    """PSNR by setting and speed-up, as Markdown."""
    lines = [f"| model | steps | setting | {' | '.join(f'{speedup}x' for speedup in SPEEDUPS)} |", "|---|---|---|" + "---|" * len(SPEEDUPS)]
    for model, steps, setting in dict.fromkeys((row["model"], row["steps"], row["setting"]) for row in rows):
        found = {row["speedup"]: row for row in rows if (row["model"], row["steps"], row["setting"]) == (model, steps, setting)}
        shown = (decibels(found[speedup]) if speedup in found else "-" for speedup in SPEEDUPS)
        lines.append(f"| {model.split(' (')[0]} | {steps} | {setting} | {' | '.join(shown)} |")
    return "\n".join(lines)


def decibels(row: dict) -> str:
    worst = f" (worst {row['worst_psnr_db']:.1f})" if "worst_psnr_db" in row else ""
    return f"{row['psnr_db']:.1f} dB{worst}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--steps", nargs="+", type=int, default=[50, 28])
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    rows: list[dict] = []
    for family, steps in ((FAMILIES[name], steps) for name in args.models for steps in args.steps):
        bench = Bench(family, steps)
        recordings = {seed: bench.recorded(seed) for seed in range(FIRST_CALIBRATED, FIRST_CALIBRATED + TOGETHER)}
        for speedup in tqdm(SPEEDUPS, desc=f"{family.name}, {steps} steps"):
            rows += rows_of(bench, speedup, recordings)
            args.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")  # at once: it takes a while
    print(table(rows))


if __name__ == "__main__":
    main()

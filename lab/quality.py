"""Quality at equal numbers of evaluations: even steps against steps and weights planned from recorded runs. `python3
scripts/lab.py quality`."""

import argparse
import json
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from statistics import median

from torch import Tensor
from tqdm import tqdm

from cache_core import OUTPUT, Adaptive, Extrapolation, Frame, Plan, Steps, Timeline, evenly
from cache_core.calibrate import Ledger, Request, calibrate_output
from cache_core.predictor import GAIN_LIMIT
from cache_core.saved_plan.saved_plan import Origin, SavedPlan
from cache_core.site import MODULES

from .bench import FIRST_CALIBRATED, LabBench
from .demo import GUIDANCE, as_pictures, psnr
from .families import FAMILIES, Family
from .sample import flow_sigmas, sample, uncached_velocity
from .solvers import SOLVERS

RESULT = Path(__file__).parent / "results" / "quality.json"
SPEEDUPS = (2, 3, 4, 5)
# So many pictures or clips; other seeds than the method was made with (0 on) and learns from (1000 on).
TESTED, FIRST_TESTED = 24, 5000
ALONE = 4  # plans from one picture: so many, each of another picture
TOLERANCES = 6  # halvings, in search of the tolerance that computes as often as the other settings


class Bench:
    """A lab model, its sampling, and the uncached samples of the tested seeds."""

    def __init__(self, family: Family, steps: int):
        self.lab = LabBench(family, steps)
        self.tested = self.lab.drawn(range(FIRST_TESTED, FIRST_TESTED + TESTED))
        self.uncached = self.sample(())[0]

    def sample(self, plans: tuple[Plan, ...]) -> tuple[Tensor, float]:
        """Samples of the tested seeds, and how often the model ran."""
        samples, report = sample(self.lab.model, *self.tested, self.lab.sigmas, plans, GUIDANCE)
        return samples, report.computed if report else self.lab.timeline.steps

    def row(self, name: str, plan: Plan) -> dict:
        """How far the plan's samples are from the uncached ones."""
        samples, count = self.sample((plan,))
        return self.compared(name, count, samples)

    def fewer(self, solver: str, count: int) -> dict:
        """How far samples in just `count` steps of a solver are from the uncached ones."""
        noise, labels = self.tested
        samples = SOLVERS[solver](
            uncached_velocity(self.lab.model, labels, GUIDANCE), noise, flow_sigmas(count, self.lab.family.shift)
        )
        return self.compared(f"fewer steps of {solver}", count, samples)

    def compared(self, name: str, count: int, samples: Tensor) -> dict:
        return {
            "model": self.lab.family.title,
            "steps": self.lab.timeline.steps,
            "setting": name,
            "evaluations": count,
            "psnr_db": round(psnr(as_pictures(samples), as_pictures(self.uncached)), 2),
            "relative_l2": round(float((samples - self.uncached).norm() / self.uncached.norm()), 5),
        }

    def planned(self, request: Request, first: int = FIRST_CALIBRATED) -> SavedPlan:
        """What a calibration finds for the request, on the seeds from `first` on."""
        bench = LabBench(self.lab.family, self.lab.timeline.steps, first, self.lab.model)
        return calibrate_output(Ledger(bench, request.budget), Origin(""), request).plan

    def tolerance(self, count: int) -> Plan:
        """AB-Cache by tolerance, order 2, with the tolerance that computes `count` steps of the first calibration
        sample, or the next fewer."""
        low, high = 0.0, 1.0
        for _ in range(TOLERANCES):
            middle = (low + high) / 2
            plan = Plan(Adaptive(OUTPUT, middle, 8, Frame(3, 1)), Extrapolation(2))
            report = sample(
                self.lab.model,
                *self.lab.drawn(range(FIRST_CALIBRATED, FIRST_CALIBRATED + 1)),
                self.lab.sigmas,
                (plan,),
                GUIDANCE,
            )[1]
            low, high = (low, middle) if report.computed <= count else (middle, high)
        return Plan(Adaptive(OUTPUT, high, 8, Frame(3, 1)), Extrapolation(2))


def rows_of(bench: Bench, speedup: int) -> list[dict]:
    """All settings at one speed-up."""
    count, timeline = round(bench.lab.timeline.steps / speedup), bench.lab.timeline
    even = evenly(timeline.steps, count)
    rows = [bench.fewer(solver, count) for solver in SOLVERS]
    rows += [
        bench.row(f"even steps, {name}", Plan(Steps(OUTPUT, even), predictor))
        for name, predictor in (
            ("reuse", Extrapolation(1)),
            ("order 2", Extrapolation(2, gain_limit=GAIN_LIMIT)),
            ("order 3", Extrapolation(3, gain_limit=GAIN_LIMIT)),
        )
    ]
    rows += [{**bench.row(name, plan), "evaluations": count} for name, plan in inside(timeline, count)]
    rows.append(bench.row("tolerance, order 2", bench.tolerance(count)))
    rows.append(learned(bench, speedup))
    asked = Request(speedup)  # what Cache Calibrate does if it is left as it is
    rows.append(
        bench.row(f"calibrated, a budget of {asked.budget:g}", bench.planned(asked).plan(timeline, "calibrated"))
    )
    return [{**row, "speedup": speedup} for row in rows]


def inside(timeline: Timeline, count: int) -> list[tuple[str, Plan]]:
    """What caches inside the model, by name: the blocks run at `count` steps, what is around them at all."""
    even = Steps(MODULES, evenly(timeline.steps, count))
    return [
        ("even steps, hidden state, order 3", Plan(even, Extrapolation(3, gain_limit=GAIN_LIMIT), merge=True)),
        ("FEB-Cache, even steps, order 2", Plan(even, Extrapolation(2, gain_limit=GAIN_LIMIT), merge=True)),
        ("FEB-Cache, even steps, reuse", Plan(even, Extrapolation(1), merge=True)),
    ]


def learned(bench: Bench, speedup: int) -> dict:
    """Plans from one picture each, as AB-Cache Apply learns them: the median, and the worst of them."""
    plans = (bench.planned(Request(speedup, samples=1, budget=2), FIRST_CALIBRATED + number) for number in range(ALONE))
    rows = [bench.row("", plan.plan(bench.lab.timeline, "learned")) for plan in plans]
    middle = {key: round(median(row[key] for row in rows), 5) for key in ("psnr_db", "relative_l2")}
    return {
        **rows[0],
        "setting": f"learned from 1 picture (median of {ALONE})",
        **middle,
        "worst_psnr_db": min(row["psnr_db"] for row in rows),
    }


def table(rows: list[dict]) -> str:
    """PSNR by setting and speed-up, as Markdown."""
    lines = [
        f"| model | steps | setting | {' | '.join(f'{speedup}x' for speedup in SPEEDUPS)} |",
        "|---|---|---|" + "---|" * len(SPEEDUPS),
    ]
    for model, steps, setting in dict.fromkeys((row["model"], row["steps"], row["setting"]) for row in rows):
        found = {
            row["speedup"]: row
            for row in rows
            if (row["model"], row["steps"], row["setting"]) == (model, steps, setting)
        }
        shown = (decibels(found[speedup]) if speedup in found else "-" for speedup in SPEEDUPS)
        lines.append(f"| {model.split(' (')[0]} | {steps} | {setting} | {' | '.join(shown)} |")
    return "\n".join(lines)


def decibels(row: dict) -> str:
    worst = f" (worst {row['worst_psnr_db']:.1f})" if "worst_psnr_db" in row else ""
    return f"{row['psnr_db']:.1f} dB{worst}"


def arguments(result: Path, about: str) -> argparse.Namespace:
    """Which models and step counts to measure, and where to keep the result."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--models", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--steps", nargs="+", type=int, default=[50, 28])
    parser.add_argument("--out", type=Path, default=result)
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    return parser.parse_args()


def measured(
    families: Iterable[Family], args: argparse.Namespace, rows_of: Callable[[Bench, int], list[dict]]
) -> list[dict]:
    """Rows of every model, step count and speed-up, kept at once: it takes a while, and goes on where it stopped."""
    rows = kept(args.out, args.again)
    for family, steps in product(families, args.steps):
        done = {row["speedup"] for row in rows if (row["model"], row["steps"]) == (family.title, steps)}
        left = [speedup for speedup in SPEEDUPS if speedup not in done]
        bench = Bench(family, steps) if left else None
        for speedup in tqdm(left, desc=f"{family.name}, {steps} steps"):
            rows += rows_of(bench, speedup)
            args.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    return rows


def kept(path: Path, again: bool) -> list[dict]:
    """What an earlier run has measured."""
    return [] if again or not path.exists() else json.loads(path.read_text())["rows"]


def main() -> None:
    args = arguments(RESULT, __doc__)
    print(table(measured([FAMILIES[name] for name in args.models], args, rows_of)))


if __name__ == "__main__":
    main()

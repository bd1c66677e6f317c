"""What the shift of the sigmas leaves to plan: lab.quality's plans with the other model's shift. `python3 -m
lab.shifts`."""

from dataclasses import replace
from pathlib import Path

from cache_core import OUTPUT, Extrapolation, Plan, Steps, evenly
from cache_core.calibrate import Request
from cache_core.predictor import GAIN_LIMIT

from .families import FAMILIES, Family
from .quality import Bench, arguments, learned, measured, table

RESULT = Path(__file__).parent / "results" / "shifts.json"
SHIFTS = {"flux": 3.0, "hunyuan_video": 1.0}  # 1 spaces the sigmas evenly; 3 puts most of them where noise is high


def shifted(family: Family) -> Family:
    """The same weights, sampled with another shift."""
    shift = SHIFTS[family.name]
    return replace(family, shift=shift, title=f"{family.title.split(' (')[0]}, shift {shift:g}")


def rows_of(bench: Bench, speedup: int) -> list[dict]:
    """Even steps, a plan from one sample, and one from as many as a calibration takes."""
    timeline, asked = bench.lab.timeline, Request(speedup)
    even = Steps(OUTPUT, evenly(timeline.steps, round(timeline.steps / speedup)))
    rows = [
        bench.row("even steps, order 2", Plan(even, Extrapolation(2, gain_limit=GAIN_LIMIT))),
        learned(bench, speedup),
        bench.row(f"calibrated, a budget of {asked.budget:g}", bench.planned(asked).plan(timeline, "calibrated")),
    ]
    return [{**row, "speedup": speedup} for row in rows]


def main() -> None:
    args = arguments(RESULT, __doc__)
    print(table(measured([shifted(FAMILIES[name]) for name in args.models], args, rows_of)))


if __name__ == "__main__":
    main()

"""Worth of each part of a learned plan: its steps, its weights, its steering and its pictures. `python3 scripts/lab.py
ablation`."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from cache_core import OUTPUT, Kind, Plan, evenly
from cache_core.calibrate import Ledger, Recorded, Recording, Watch, fit, steps_for
from cache_core.calibrate.learn import recorded
from cache_core.calibrate.recording import relative_l2, sampled_elements
from cache_core.planning import prior_fits, prior_steps
from cache_core.predictor import Fit
from cache_core.saved_plan.saved_plan import Origin, model_plan

from .bench import LabBench
from .families import FAMILIES, FLUX, Family
from .quality import FIRST_TESTED, TESTED, Bench

RESULT = Path(__file__).parent / "results" / "ablation.json"
STEPS, SPEEDUP, SAMPLES = 50, 3, 8
SOLVERS = ("euler", "res_multistep")
LEARNED, PRIOR, EVEN, ORDER_2 = "learned", "prior", "even", "order 2"


@dataclass(frozen=True)
class Parts:
    """Parts of the method: `steps` learned, of the prior or even; `weights` learned, of the prior or of order 2. The
    learned ones are `steered` to where the recordings end, or match their outputs; they are learned from so many
    `pictures`."""

    steps: str = LEARNED
    weights: str = LEARNED
    steered: bool = True
    pictures: int = SAMPLES


VARIANTS = {
    "everything": Parts(),
    "learned from 1 picture": Parts(pictures=1),
    "outputs matched, not steered": Parts(steered=False),
    "outputs matched, learned from 1 picture": Parts(steered=False, pictures=1),
    "the prior's steps": Parts(steps=PRIOR),
    "even steps": Parts(steps=EVEN),
    "the prior's weights": Parts(weights=PRIOR),
    "order 2": Parts(weights=ORDER_2),
    "the prior's steps and weights": Parts(PRIOR, PRIOR),
    "the prior's steps, order 2": Parts(PRIOR, ORDER_2),
    "even steps, order 2": Parts(EVEN, ORDER_2),
}


class SolvedBench(Bench):
    """A lab model, a solver, and the uncached samples of the tested seeds."""

    def __init__(self, family: Family, steps: int, solver: str):
        self.solver, self.lab = solver, LabBench(family, steps, solver=solver)
        self.tested = self.lab.drawn(range(FIRST_TESTED, FIRST_TESTED + TESTED))
        self.uncached = self.sample(())[0]

    def sample(self, plans: tuple[Plan, ...]) -> tuple[Tensor, int]:
        """Samples of the tested seeds, and how often the model ran."""
        tables = [plan.schedule.table(self.lab.timeline) for plan in plans]
        computed = min((len(table.computed(Kind.MODEL)) for table in tables), default=self.lab.timeline.steps)
        return self.lab.run(*self.tested, plans), computed


class Matched(Recording):
    """A recording whose outputs are matched, wherever the sampling has gone."""

    @property
    def steering(self) -> float:
        """No way back."""
        return 0.0


def variant(bench: SolvedBench, samples: Sequence[Recorded], parts: Parts) -> tuple[Plan, float | None]:
    """The plan that these parts of the method make of the recorded samples, and its drift on the last one, if it
    learns weights."""
    timeline, known = bench.lab.timeline, samples[: parts.pictures]
    steps = steps_of(bench, known, parts.steps)
    fits, drift = (), None
    if parts.weights == LEARNED:
        fits, drift = fitted(bench, known, steps, parts.steered)
    elif parts.weights == PRIOR:
        fits = prior_fits(timeline, steps)
    return model_plan(steps, timeline.sigmas, Origin("", samples=1), fits).plan(timeline, "variant"), drift


def steps_of(bench: SolvedBench, known: Sequence[Recorded], source: str) -> tuple[int, ...]:
    """Computed steps by where they come from."""
    timeline = bench.lab.timeline
    count = round(timeline.steps / SPEEDUP)
    if source == EVEN:
        return evenly(timeline.steps, count)
    if source == PRIOR:
        return prior_steps(timeline, count)
    return steps_for([sample.recording for sample in known], count, timeline.signal)


def fitted(
    bench: SolvedBench, known: Sequence[Recorded], steps: Sequence[int], steered: bool
) -> tuple[tuple[Fit, ...], float]:
    """Weights fitted to the samples, and the drift on the last one."""
    numbers = iter(range(len(known)))
    recordings = [sample.recording for sample in known]

    def one(plan: Plan, watch: Watch) -> Tensor:
        return bench.lab.sample(next(numbers), (plan,), watch)

    [fits], final = fit(one, recordings if steered else [Matched(**vars(r)) for r in recordings], OUTPUT, steps)
    return fits, relative_l2(sampled_elements(final), known[-1].final)


def rows_of(bench: SolvedBench) -> list[dict]:
    """A row for each variant."""
    ledger, rows = Ledger(bench.lab, SAMPLES), []
    samples = [recorded(ledger, number) for number in range(SAMPLES)]
    for name, parts in tqdm(VARIANTS.items(), desc=bench.solver):
        plan, drift = variant(bench, samples, parts)
        row = {**bench.row(name, plan), "solver": bench.solver}
        rows.append(row if drift is None else {**row, "drift": round(drift, 5)})
    return rows


def table(rows: list[dict]) -> str:
    """PSNR by setting and solver, as Markdown; in brackets the drift that was measured while it was learned."""
    found = {(row["setting"], row.get("solver", "euler")): row for row in rows}
    settings, solvers = (list(dict.fromkeys(keys)) for keys in zip(*found, strict=True))
    lines = [f"| plan | {' | '.join(solvers)} |", "|---|" + "---|" * len(solvers)]
    for setting in settings:
        shown = (_text(found.get((setting, solver))) for solver in solvers)
        lines.append(f"| {setting} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _text(row: dict | None) -> str:
    if row is None:
        return "-"
    drift = f" (drift {row['drift']:.4f})" if "drift" in row else ""
    return f"{row['psnr_db']:.1f} dB{drift}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=FAMILIES, default=FLUX.name)
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    rows: list[dict] = []
    for solver in SOLVERS:
        rows += rows_of(SolvedBench(FAMILIES[args.model], STEPS, solver))
        args.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()

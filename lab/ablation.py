"""What each part of a calibration is worth, and what samples and budget are: `python3 scripts/lab.py quality`, last
table."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cache_core.calibrate.output import recorded
from cache_core.planning.steps import first_gap
from tqdm import tqdm

from cache_core import OUTPUT, Plan, evenly
from cache_core.calibrate import Ledger, Normal, Recorded, Request, Tracker, best_steps, fitting_plan, steps_for
from cache_core.saved_plan.saved_plan import Origin, model_plan

from .families import FAMILIES, FLUX
from .quality import Bench

RESULT = Path(__file__).parent / "results" / "ablation.json"
STEPS, SPEEDUP, SAMPLES = 50, 4, 6
WHOLE = Request(SPEEDUP)
SPENT = [(samples, budget) for samples in (1, 4, 8) for budget in (2, 12, 100)]


@dataclass(frozen=True)
class Parts:
    """Parts of the method: a planned schedule, its weights for the growth of errors, fitted computed outputs and fitted
    predictions, and the number of samples that are fitted to."""

    planned: bool = True
    grown: bool = True
    corrections: bool = True
    predictions: bool = True
    learners: int = SAMPLES


VARIANTS = {
    "everything": Parts(),
    "no growth of errors in the schedule": Parts(grown=False),
    "no planned schedule": Parts(planned=False),
    "no fitted predictions": Parts(predictions=False),
    "nothing fitted": Parts(corrections=False, predictions=False),
    "fitted to one sample only": Parts(learners=1),
}


def requests() -> dict[str, Request]:
    """Requests by name. A budget that does not pay for the samples gives fewer of them."""
    return {
        f"{samples} samples, {budget} generations": replace(WHOLE, samples=samples, budget=budget)
        for samples, budget in SPENT
    }


def variant(bench: Bench, samples: Sequence[Recorded], parts: Parts) -> Plan:
    """The plan that these parts of the method make of the recorded samples."""
    count, recordings = round(STEPS / SPEEDUP), [sample.recording for sample in samples]
    if not parts.planned:
        steps = evenly(STEPS, count)
    elif parts.grown:
        steps = steps_for(recordings, count, bench.lab.signal)
    else:
        gram = sum(recording.gram().numpy() for recording in recordings)
        first = recordings[0]
        steps = best_steps(gram, first.nodes, first.weights, count, first_gap(STEPS, fits=True), fits=True)
    fits, normal = (), Normal()
    for number, recording in enumerate(recordings[: parts.learners] if parts.corrections else ()):
        tracker = Tracker(recording, steps, normal, parts.predictions)
        bench.lab.sample(number, (fitting_plan(OUTPUT, steps),), tracker)
        fits = tuple(tracker.fits.values())
    return model_plan(steps, bench.lab.timeline.sigmas, Origin(""), fits).plan(bench.lab.timeline, "variant")


def table(rows: list[dict]) -> str:
    lines = ["| calibration | PSNR | drift it measured itself |", "|---|---|---|"]
    for row in rows:
        drift = f"{row['drift']:.4f}" if "drift" in row else "-"
        lines.append(f"| {row['setting']} | {row['psnr_db']:.1f} dB | {drift} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=FAMILIES, default=FLUX.name)
    parser.add_argument("--out", type=Path, default=RESULT)
    args = parser.parse_args()
    bench, rows = Bench(FAMILIES[args.model], STEPS), []
    ledger = Ledger(bench.lab, SAMPLES)
    samples = [recorded(ledger, number) for number in range(SAMPLES)]
    for name, parts in tqdm(VARIANTS.items(), desc="parts"):
        rows.append(bench.row(name, variant(bench, samples, parts)))
    for name, request in tqdm(requests().items(), desc=f"{args.model}, {SPEEDUP}x of {STEPS} steps"):
        plan = bench.planned(request)
        row = bench.row(name, plan.plan(bench.lab.timeline, name))
        rows.append({**row, "samples": plan.origin.samples, "budget": request.budget, "drift": round(plan.drift, 5)})
        args.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()

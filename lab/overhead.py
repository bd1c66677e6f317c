"""What the engine costs on top of the model: CPU seconds, medians of ratios, on FLUX's real block counts.

    OMP_NUM_THREADS=1 python3 -m lab.overhead

Writes lab/results/overhead.json. "everything computed" attaches a plan that never predicts; "computed and kept" runs with
every site mounted and copied, which is what the computed steps of a FEB-Cache plan do; its first evaluation checks the mounts.
"""

import json
import platform
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch

from cache_core import MODULES, OUTPUT, Interval, Plan, Predictor, Run, Steps, Timeline
from cache_core.engine import evaluate

from .flux import Flux, FluxConfig
from .sample import flow_sigmas, noise_of, sample

RESULTS = Path(__file__).parent / "results" / "overhead.json"
SIZES = FluxConfig(hidden=256, heads=2, depth=19, depth_single=38)
STEPS, ROUNDS = 10, 15


def cpu_seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def ratios(model: Flux) -> dict[str, float]:
    """CPU time per computed evaluation against the unpatched model, each a median over rounds of neighbouring runs."""
    noise, labels, sigmas = noise_of([0]), torch.zeros(1, dtype=torch.long), flow_sigmas(STEPS)
    plans = {"everything computed": (Plan(Interval(MODULES, 1)), Plan(Interval(OUTPUT, 1))),
             "computed and kept": (Plan(Steps(MODULES, tuple(range(STEPS - 1))), Predictor(2)),)}
    shares = {"everything computed": 1.0, "computed and kept": (STEPS - 1) / STEPS}  # the last step has to use what is kept
    found: dict[str, list[float]] = {name: [] for name in plans}
    sample(model, noise, labels, sigmas)
    for _ in range(ROUNDS):
        for name, plan in plans.items():
            plain = cpu_seconds(lambda: sample(model, noise, labels, sigmas))
            patched = cpu_seconds(lambda plan=plan: sample(model, noise, labels, sigmas, plan))
            found[name].append(patched / plain / shares[name])
    return {name: round(median(values), 4) for name, values in found.items()}


def prediction_milliseconds(order: int = 2, repeats: int = 400) -> dict[str, float]:
    """Wall time of one predicted evaluation at the model site, and of its tensor arithmetic alone, on a FLUX 1 MP latent."""
    shape = (1, 16, 128, 128)
    run = Run((Plan(Steps(OUTPUT, tuple(range(order + 1))), Predictor(order)),), Timeline.even(repeats + order + 1))
    value, times, bare = torch.randn(shape), [], []
    for sigma in run.timeline.sigmas[:-1]:
        start = perf_counter()
        run.begin(sigma)
        evaluate(run, ("cond",), shape, lambda: value)
        times.append(perf_counter() - start)
        start = perf_counter()
        (value * 1.5).add_(value, alpha=-0.5)
        bare.append(perf_counter() - start)
    whole, arithmetic = (1000 * median(t[order + 1:]) for t in (times, bare))
    return {"whole": round(whole, 4), "arithmetic": round(arithmetic, 4), "engine": round(whole - arithmetic, 4)}


def main() -> None:
    torch.manual_seed(0)
    model = Flux(SIZES).eval().requires_grad_(False)
    found = {"machine": f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s), torch {torch.__version__}",
             "blocks": f"{SIZES.depth} + {SIZES.depth_single}, hidden {SIZES.hidden}", "steps": STEPS, "rounds": ROUNDS,
             "cpu_time_ratio": ratios(model), "prediction_ms": prediction_milliseconds()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

"""What the engine costs on top of the model: CPU seconds, medians of ratios, on FLUX's real block counts.

    OMP_NUM_THREADS=1 python3 -m lab.overhead

Writes lab/results/overhead.json. "everything computed" is a sampling with plans that never predict, the mounting of
the sites included. "a kept step" computes and keeps, with every site or one residual per list of blocks, the check
of the mounts left out, in inference mode, as ComfyUI samples.
"""

import json
import platform
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cache_core import MODULES, OUTPUT, Extrapolation, Interval, Plan, Run, Steps, Timeline
from cache_core.hosts import match
from cache_core.mount import Mounts
from cache_core.run.engine import evaluate

from .condition import condition
from .flux import Flux, FluxConfig
from .sample import flow_sigmas, noise_of, sample

RESULTS = Path(__file__).parent / "results" / "overhead.json"
SIZES = FluxConfig(hidden=256, heads=2, depth=19, depth_single=38)
STEPS, ROUNDS = 10, 15


class Operations(TorchDispatchMode):
    """Counts what torch is asked to do."""

    count = 0

    def __torch_dispatch__(
        self, operation: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        self.count += 1
        return operation(*args, **(kwargs or {}))


def cpu_seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start


def ratio(patched: Callable[[], object], plain: Callable[[], object]) -> float:
    """CPU time against the unpatched model: the median over rounds of neighbouring runs."""
    patched(), plain()
    return round(median(cpu_seconds(patched) / cpu_seconds(plain) for _ in range(ROUNDS)), 4)


def everything_computed(model: Flux) -> float:
    """The ratio of a whole sampling with plans that never predict."""
    given = model, noise_of([0]), torch.zeros(1, dtype=torch.long), flow_sigmas(STEPS)
    return ratio(
        lambda: sample(*given, (Plan(Interval(MODULES, 1)), Plan(Interval(OUTPUT, 1)))), lambda: sample(*given)
    )


@torch.inference_mode()
def kept(model: Flux) -> dict[str, dict[str, float]]:
    """CPU time and operations of a computed step whose values are kept, against those of the unpatched model."""
    given, found = (noise_of([0]), torch.ones(1), *condition(torch.zeros(1, dtype=torch.long), SIZES.vector)), {}

    def plain() -> None:
        model(*given)

    for name, merge in (("every site", False), ("merged", True)):
        run = Run(
            (Plan(Steps(MODULES, tuple(range(STEPS - 1))), Extrapolation(2), merge=merge),),
            Timeline.flow(flow_sigmas(STEPS)),
        )
        mounts = Mounts(model, match(model), run)

        def step(run: Run = run, mounts: Mounts = mounts) -> None:
            run.begin(run.timeline.sigmas[STEPS - 2])  # the last step before one that predicts
            evaluate(run, ("cond",), "shape", lambda: model(*given), mounts)

        times = ratio(step, plain)
        found[name] = {"cpu_time_ratio": times, "operations": operations(step), "of the model alone": operations(plain)}
    return found


def operations(work: Callable[[], object]) -> int:
    with Operations() as counted:
        work()
    return counted.count


def prediction_milliseconds(order: int = 2, repeats: int = 400) -> dict[str, float]:
    """Wall time of one predicted evaluation at the model site, and of its tensor arithmetic alone, on a FLUX 1 MP
    latent."""
    shape = (1, 16, 128, 128)
    run = Run((Plan(Steps(OUTPUT, tuple(range(order + 1))), Extrapolation(order)),), Timeline.even(repeats + order + 1))
    value, times, bare = torch.randn(shape), [], []
    for sigma in run.timeline.sigmas[:-1]:
        start = perf_counter()
        run.begin(sigma)
        evaluate(run, ("cond",), shape, lambda: value)
        times.append(perf_counter() - start)
        start = perf_counter()
        (value * 1.5).add_(value, alpha=-0.5)
        bare.append(perf_counter() - start)
    whole, arithmetic = (1000 * median(t[order + 1 :]) for t in (times, bare))
    return {"whole": round(whole, 4), "arithmetic": round(arithmetic, 4), "engine": round(whole - arithmetic, 4)}


def main() -> None:
    torch.manual_seed(0)
    model = Flux(SIZES).eval().requires_grad_(False)
    found = {
        "machine": f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s), torch {torch.__version__}",
        "blocks": f"{SIZES.depth} + {SIZES.depth_single}, hidden {SIZES.hidden}",
        "steps": STEPS,
        "rounds": ROUNDS,
        "everything computed": everything_computed(model),
        "a kept step": kept(model),
        "prediction_ms": prediction_milliseconds(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

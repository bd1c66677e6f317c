"""The engine on one screen: one sampling without a plan, one with it, and the distance between their latents.

    python3 docs/engine_in_one_screen.py        from the root; needs torch and safetensors

Four pictures of the lab's small FLUX in 50 Euler steps. A `Plan` says when the model runs and what fills the gaps, a
`Run` is all state of one sampling, and `evaluate` computes the model's output or predicts it from past outputs.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cache_core import OUTPUT, Extrapolation, Frame, Interval, Kind, Plan, Run, Timeline, report
from cache_core.run.engine import evaluate
from lab.condition import condition
from lab.sample import flow_sigmas, load, noise_of

STEPS, PICTURES, SHOWN = 50, 4, 14  # SHOWN: a step that the plan predicts


def euler(velocity: Callable[[Tensor, float], Tensor], x: Tensor, sigmas: tuple[float, ...]) -> Tensor:
    """Samples from noise `x`, both `(B, C, H, W)`: x += (next sigma - sigma) * velocity. It knows of no cache."""
    for sigma, after in zip(sigmas, sigmas[1:], strict=False):
        x = x + (after - sigma) * velocity(x, sigma)
    return x


def main() -> None:
    network, conditions, noise = load()[0], condition(torch.arange(PICTURES)), noise_of(list(range(PICTURES)))
    timeline = Timeline.flow(flow_sigmas(STEPS))
    plan = Plan(Interval(OUTPUT, 4, Frame(warmup=8, final=1)), Extrapolation(order=2), name="every 4th step")
    run = Run((plan,), timeline)
    ran: list[float] = []  # sigmas at which the model ran

    def computed(x: Tensor, sigma: float) -> Tensor:
        ran.append(sigma)
        return network(x, torch.full((len(x),), sigma), *conditions)

    def cached(x: Tensor, sigma: float) -> Tensor:
        run.begin(sigma)  # the one decision of this evaluation
        return evaluate(run, ["prompt"], x.shape, lambda: computed(x, sigma))

    print("plan:", "".join("#" if row else "." for row in run.table.rows), "(# computed, . predicted)")
    past = [step for step in reversed(run.table.computed(Kind.MODEL)) if step < SHOWN][: plan.predictor.order]
    weights = plan.predictor.weights([timeline.sigmas[step] for step in past], timeline.sigmas[SHOWN])
    print(f"prediction: step {SHOWN} =", *(f"{w:+.2f} x step {s}" for w, s in zip(weights, past, strict=True)))
    plain, full = euler(computed, noise, timeline.sigmas), len(ran)
    apart = euler(cached, noise, timeline.sigmas) - plain
    run.close()
    print(f"model ran: {full} times without the plan, {len(ran) - full} with it")
    print(f"distance: {float(apart.norm() / plain.norm()):.4f}, relative L2 of the final latents")
    print("report:", report(run, "lab FLUX", finished=True).line())


main()

"""Sample a lab model with and without a plan: the engine at work, in one screen, without ComfyUI."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TypeVar

import torch
from safetensors import safe_open
from torch import Tensor, nn

from cache_core import Plan, Run, RunReport, Timeline, report, scale_noise
from cache_core.calibrate import Watch, probed
from cache_core.hosts import match
from cache_core.modality import Modalities
from cache_core.mount import Mounts, footprint
from cache_core.run.engine import evaluate
from cache_core.store import Budget, Footprint

from .condition import TOKENS, UNCONDITIONAL, condition
from .families import FLUX, Family
from .solvers import SOLVERS

S = TypeVar("S", float, Tensor)


def load(family: Family = FLUX) -> tuple[nn.Module, dict]:
    """The shipped model in float32, and the facts of its training."""
    model = family.network()
    with safe_open(family.weights, "pt") as file:
        model.load_state_dict({key: file.get_tensor(key).float() for key in file.keys()})  # noqa: SIM118 (not a dict)
        facts = json.loads((file.metadata() or {}).get("training", "{}"))
    return model.eval().requires_grad_(False), facts


def shifted_sigma(sigma: S, shift: float) -> S:
    """Sigma of a flow model moved towards noise: s' = shift s / (1 + (shift - 1) s), Esser et al. 2024."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def flow_sigmas(steps: int, shift: float = 1.0) -> tuple[float, ...]:
    """`steps` + 1 sigmas from 1 to 0, evenly spaced and then shifted."""
    return tuple(shifted_sigma(1 - i / steps, shift) for i in range(steps + 1))


def simple_sigmas(steps: int, shift: float = 1.0, times: int = 1000) -> tuple[float, ...]:
    """`steps` + 1 sigmas as ComfyUI's scheduler `simple` takes them from the `times` float32 sigmas of a flow model:
    each `times / steps`-th, rounded down, from the noisiest on, and 0."""
    table = shifted_sigma(torch.arange(1, times + 1) / times, shift)
    return (*(float(table[times - 1 - int(i * (times / steps))]) for i in range(steps)), 0.0)


def noise_of(seeds: list[int], shape: tuple[int, ...] = (16, 16, 16)) -> Tensor:
    """One noise per seed, the same whatever the batch: `(B, C, H, W)`."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.no_grad()
def sample(
    model: nn.Module,
    noise: Tensor,
    labels: Tensor,
    sigmas: tuple[float, ...],
    plans: tuple[Plan, ...] = (),
    guidance: float = 1.0,
    split: bool = False,
    budget: Budget | None = None,
    watch: Watch | None = None,
    solver: str = "euler",
    modalities: Modalities = (),
) -> tuple[Tensor, RunReport | None]:
    """Samples, shaped like `noise`, of classes `labels` `(B,)`, and the report of the run if there are `plans`.

    `guidance` above 1 is true classifier-free guidance: two conditionings, in one call or, with `split`, in two.
    `budget`: the memory of the cache; None is as much as it takes. `watch` sees each state and guided velocity, for
    calibration. `modalities`: of a packed latent, each predicted with weights of its own.
    """
    run = Run(plans, timeline_of(sigmas, guidance, solver, modalities)) if plans else None
    mounts = _mounts(model, run, noise, guidance, budget) if run and run.table.kinds - {"model"} else None
    corrector = next((plan.corrector for plan in plans if plan.corrector.active), None)
    finished = False

    def output(x: Tensor, sigma: float) -> Tensor:
        if run:
            run.begin(sigma)
        if watch:
            watch.begin(sigma, x)
        for kinds in run.trials if run and watch else ():
            with run.trial(kinds):
                watch.tried(kinds, _guided(model, x, labels, sigma, guidance, split, run, mounts))
        velocity = _guided(model, x, labels, sigma, guidance, split, run, mounts)
        if watch:
            velocity = watch.end(velocity)
        if corrector:
            denoised = scale_noise(x, x - sigma * velocity, 1 - sigma, corrector.factor(sigma))
            velocity = (x - denoised) / sigma
        return velocity

    try:
        x = SOLVERS[solver](output, noise, sigmas)
        finished = True
    finally:
        if run:
            run.close()
    return x, report(run, type(model).__name__, finished) if run else None


@cache
def timeline_of(
    sigmas: tuple[float, ...], guidance: float = 1.0, solver: str = "euler", modalities: Modalities = ()
) -> Timeline:
    """The timeline of a sampling, with the response of its solver."""
    plain = replace(Timeline.flow(sigmas), guidance=guidance, modalities=modalities)
    if solver == "euler":
        return plain
    return replace(plain, response=probed(lambda output, x: SOLVERS[solver](output, x, sigmas), plain))


def uncached_velocity(model: nn.Module, labels: Tensor, guidance: float) -> Callable[[Tensor, float], Tensor]:
    """The guided velocity as a function of the state and sigma, for solvers of its own (lab.solvers)."""
    return torch.no_grad()(lambda x, sigma: _guided(model, x, labels, sigma, guidance, False, None, None))


def _mounts(model: nn.Module, run: Run, noise: Tensor, guidance: float, budget: Budget | None) -> Mounts:
    if budget is not None:
        run.choose_rung(foresee(model, run, noise, guidance), budget)
    return Mounts(model, match(model), run)


def foresee(model: nn.Module, run: Run, noise: Tensor, guidance: float) -> Footprint:
    """What the run's plan keeps when it samples from `noise`."""
    rows = len(noise) * (1 if guidance == 1.0 else 2)
    kept = rows * max(plan.predictor.order for plan in run.plans)
    picture = noise[0, 0].numel() // model.config.patch**2
    return footprint(model, match(model), run.table, kept * picture, kept * TOKENS, noise.element_size())


def _guided(
    model: nn.Module,
    x: Tensor,
    labels: Tensor,
    sigma: float,
    guidance: float,
    split: bool,
    run: Run | None,
    mounts: Mounts | None,
) -> Tensor:
    if guidance == 1.0:
        return _velocity(model, x, labels, sigma, ("cond",), run, mounts)
    nothing = torch.full_like(labels, UNCONDITIONAL)
    if split:
        cond = _velocity(model, x, labels, sigma, ("cond",), run, mounts)
        uncond = _velocity(model, x, nothing, sigma, ("uncond",), run, mounts)
    else:
        both = _velocity(model, torch.cat([x, x]), torch.cat([nothing, labels]), sigma, ("uncond", "cond"), run, mounts)
        uncond, cond = both.chunk(2)
    return uncond + guidance * (cond - uncond)


def _velocity(
    model: nn.Module,
    x: Tensor,
    labels: Tensor,
    sigma: float,
    conditionings: tuple[str, ...],
    run: Run | None,
    mounts: Mounts | None,
) -> Tensor:
    def compute() -> Tensor:
        return model(x, torch.full((len(x),), sigma), *condition(labels, model.config.vector))

    if run is None:
        return compute()
    signature = (tuple(x.shape[1:]), len(x) // len(conditionings))
    sizes = [modality.size for modality in run.timeline.modalities]
    return evaluate(run, conditionings, signature, compute, mounts, sizes=sizes)

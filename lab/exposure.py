"""Exposure bias: size of the predicted noise along a sampling, and a scale that brings a cached run to the uncached."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from cache_core import Plan, Timeline
from cache_core.calibrate import Recorder, Watch
from cache_core.calibrate.modules import Measured
from cache_core.calibrate.recording import Recording
from cache_core.calibrate.trials import BOUNDARY
from cache_core.noise_scale import NoiseScale, staged_scale

from .codec import encode
from .demo import GUIDANCE
from .families import Family
from .sample import uncached_velocity
from .scenes import film

LIMITS = (0.9, 1.1)  # of NoiseScale
FIRST_DRAWN = 1000  # first seed of drawn scenes
Alpha = Callable[[float], float]  # share of the clean latent in the state at a sigma


def flow_alpha(sigma: float) -> float:
    """Share of the clean latent in a state of a flow model: x = (1 - sigma) x0 + sigma eps."""
    return 1.0 - sigma


def noise_sizes(recording: Recording, alpha: Alpha = flow_alpha) -> tuple[float, ...]:
    """Root mean square of the predicted noise at each step: eps = (x - alpha (x - sigma v)) / sigma, for outputs v
    that are dx / dsigma.

    FEB-Cache, arXiv 2503.07120, section 3.1, compares this for sampled and for training states.
    """
    found = []
    for sigma, x, v in zip(recording.nodes, recording.states, recording.outputs, strict=True):
        a = alpha(sigma)
        noise = (1 - a) / sigma * x + a * v
        found.append(float(noise.double().square().mean().sqrt()))
    return tuple(found)


def fit_scale(
    cached: Sequence[Sequence[float]],
    uncached: Sequence[Sequence[float]],
    times: Sequence[float],
    boundary: float = BOUNDARY,
) -> NoiseScale:
    """The b(t) with which the sizes of the noise in cached runs come nearest to those in uncached ones, least
    squares over samples and steps.

    b(t) is linear in b_h and b_l (corrector.staged_scale), so both follow from one 2 x 2 system; either sign of b -
    1 may come of it.
    """
    base = np.array([staged_scale(t, 0.0, 0.0, boundary) for t in times])
    high, low = (
        np.array([staged_scale(t, *unit, boundary) for t in times]) - base for unit in ((1.0, 0.0), (0.0, 1.0))
    )
    c, u = np.asarray(cached), np.asarray(uncached)
    rows = np.stack([(c * high).ravel(), (c * low).ravel()], axis=1)
    solution = np.linalg.lstsq(rows, (u - c * base).ravel(), rcond=None)[0]
    return NoiseScale(*(float(round(b, 5)) for b in np.clip(solution, *LIMITS)), boundary)


class SampledBench(Protocol):
    """A lab model with tested seeds (lab.feb.FebBench)."""

    family: Family
    model: nn.Module
    timeline: Timeline
    tested: range

    def drawn(self, seeds: range) -> tuple[Tensor, Tensor]:
        """Noise and labels of some seeds."""
        ...

    def sample(self, number: int, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        """The final latent of a calibration sample."""
        ...

    def sampled(self, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        """The final latents of the tested seeds."""
        ...


def exposure(bench: SampledBench, plans: dict[str, Plan]) -> list[dict]:
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


def sampled_sizes(bench: SampledBench, plans: tuple[Plan, ...]) -> tuple[float, ...]:
    recorder = Recorder(bench.timeline)
    bench.sampled(plans, recorder)
    return noise_sizes(recorder.recording())


def training_sizes(bench: SampledBench) -> tuple[float, ...]:
    """Sizes on states of training: scenes of the tested classes, with the tested noise."""
    noise, labels = bench.drawn(bench.tested)
    clean = encode(film(labels, torch.Generator().manual_seed(FIRST_DRAWN), bench.family.frames)).view(noise.shape)
    velocity, recorder = uncached_velocity(bench.model, labels, GUIDANCE), Recorder(bench.timeline)
    for sigma in bench.timeline.sigmas[:-1]:
        state = (1 - sigma) * clean + sigma * noise
        recorder.begin(sigma, state)
        recorder.end(velocity(state, sigma))
    return noise_sizes(recorder.recording())


def matched_scale(bench: SampledBench, plan: Plan, measured: Measured) -> NoiseScale:
    """The noise scale that brings the sizes of a plan's predictions to the uncached ones on the calibration samples."""
    cached = []
    for number in range(len(measured.passes)):
        recorder = Recorder(bench.timeline)
        bench.sample(number, (plan,), recorder)
        cached.append(noise_sizes(recorder.recording()))
    return fit_scale(cached, [noise_sizes(found.recording) for found in measured.passes], bench.timeline.times)

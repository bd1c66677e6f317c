"""Exposure bias: the size of the predicted noise along a sampling, and a scale that brings a cached run's back to
the uncached one's."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..noise_scale import OFF, NoiseScale, staged_scale
from ..plan import Plan
from .bench import Bench
from .greedy import BOUNDARY
from .recording import Recorder, Recording

LIMITS = (0.9, 1.1)  # of NoiseScale
Alpha = Callable[[float], float]  # how much of the clean latent is in the state at a sigma


def flow_alpha(sigma: float) -> float:
    """Of a flow model: x = (1 - sigma) x0 + sigma eps."""
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


def exposure(
    bench: Bench, plan: Plan, uncached: Recording, alpha: Alpha, doing: Callable[[str, float], None]
) -> dict[str, tuple[float, ...]]:
    """Noise sizes by step: on training states, in the recorded uncached sampling of sample 0, in one with the plan,
    and in one with the plan and the scale that matches the two. Training states are the uncached sample with fresh
    noise on it, as nothing else of the training is at hand.

    `doing` is told what is sampled and what it costs, in uncached samplings. FEB-Cache, arXiv 2503.07120, section
    3.1.
    """

    def sizes(name: str, cost: float, run: Callable[[Recorder], object]) -> tuple[float, ...]:
        recorder = Recorder(bench.timeline, bench.scale)
        run(recorder)
        doing(name, cost)
        return noise_sizes(recorder.recording(), alpha)

    found = {
        "training": sizes("training states", 2.0, lambda watch: bench.noised(0, watch)),
        "uncached": noise_sizes(uncached, alpha),
    }
    table = plan.schedule.table(bench.timeline)
    cost = max(len(table.computed(kind)) for kind in table.kinds) / bench.timeline.steps
    found["cached"] = sizes(
        "exposure bias", cost, lambda watch: bench.sample(0, (replace(plan, corrector=OFF),), watch)
    )
    scale = fit_scale([found["cached"]], [found["uncached"]], bench.timeline.times)
    scaled = replace(plan, corrector=scale)
    name = f"cached, noise x {scale.high:.3f} / {scale.low:.3f}"
    return found | {name: sizes("exposure bias, scaled", cost, lambda watch: bench.sample(0, (scaled,), watch))}


def exposure_cost(speedup: float) -> float:
    """Of exposure, in uncached samplings."""
    return 2 + 2 / speedup

"""Exposure bias: size of the predicted noise along a sampling, and a scale that brings a cached run to the uncached."""

from collections.abc import Callable, Sequence

import numpy as np

from cache_core.calibrate.recording import Recording
from cache_core.calibrate.trials import BOUNDARY
from cache_core.noise_scale import NoiseScale, staged_scale

LIMITS = (0.9, 1.1)  # of NoiseScale
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

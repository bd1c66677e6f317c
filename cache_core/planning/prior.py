"""Plans without any picture: from the sampling of Gaussian data with the spectrum of natural images, known exactly.

For data of variance l in a mode, the best denoiser of x = a x0 + s eps is `D(x) = a l / (a^2 l + s^2) x`: each mode
moves from noise to data at a noise level of its own, the low frequencies first. That is most of how the outputs of a
trained model change over a sampling, so the steps and weights that are right for it come near to those that are
learned from a picture, and are above fewer steps (`python3 -m lab.settings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..predictor import Fit
from ..response import Response
from ..timeline import Timeline
from .steering import Normal, Steering
from .steps import planned_steps

MODES = 64  # frequencies along an axis; a ring of frequency f has f modes
STEEP, FLAT = 3.0, 2.0  # powers by which the variance falls with the frequency, in latents and in pictures
GUIDED = 0.3  # share of the modes whose mean depends on the prompt
SURE = 0.1  # variance that is left of such a mode once the prompt is known, relative to that of all pictures
DIGITS = 9  # of a weight
CACHED = 64  # samplings whose plan is kept; each sampling of a session asks several times


@dataclass(frozen=True, eq=False)  # arrays have no one truth value
class Modes:
    """Gaussian data, mode by mode. `variance`, `size`, `mean` `(M,)`: of the data whatever the prompt, amplitude that
    stands for all modes of a frequency, and mean of those that the prompt decides, 0 for the others."""

    variance: np.ndarray
    size: np.ndarray
    mean: np.ndarray

    @classmethod
    def of(cls, power: float, share: float, guided: bool = False) -> Modes:
        """Modes whose variance falls with the frequency to this power, 1 on average; `share` of the energy of all."""
        frequency = np.arange(1.0, MODES + 1)
        variance = frequency**-power
        variance *= frequency.sum() / (frequency * variance).sum()
        size = np.sqrt(share * frequency / frequency.sum())
        return cls(variance, size, np.sqrt(variance) * guided)

    def beside(self, other: Modes) -> Modes:
        """These modes and others."""
        return Modes(*(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True)))

    def start(self, signal: float, sigma: float) -> np.ndarray:
        """The first state `(M,)`: noise, with a share of the data."""
        drawn = np.where(self.mean > 0, signal * self.mean + sigma, np.sqrt(signal**2 * self.variance + sigma**2))
        return self.size * drawn

    def output(self, state: np.ndarray, signal: float, sigma: float, guidance: float) -> np.ndarray:
        """The output `(M,)`, guided where the prompt decides: the slope `(x - D(x)) / s`, D = `D_0 + g (D_m - D_0)`."""
        without = _denoised(state, signal, sigma, self.variance, 0.0)
        with_prompt = _denoised(state, signal, sigma, SURE * self.variance, self.size * self.mean)
        guided = without + guidance * (with_prompt - without)
        return (state - np.where(self.mean > 0, guided, without)) / sigma


def _denoised(state: np.ndarray, a: float, s: float, variance: np.ndarray, mean: np.ndarray | float) -> np.ndarray:
    """Best guess of the data, `m + a l / (a^2 l + s^2) (x - a m)`."""
    return mean + a * variance / (a * a * variance + s * s) * (state - a * mean)


FOR_STEPS = Modes.of(STEEP, 1.0)
FOR_WEIGHTS = Modes.of(FLAT, 1.0).beside(Modes.of(STEEP, 1 - GUIDED)).beside(Modes.of(STEEP, GUIDED, guided=True))


class _Sampling:
    """A sampling of modes: `outputs` `(M,)` so far."""

    def __init__(self, modes: Modes, timeline: Timeline):
        self.modes, self.timeline, self.response = modes, timeline, timeline.responds
        self.signal = timeline.signal or (1.0,) * timeline.steps
        self.first = modes.start(self.signal[0], timeline.sigmas[0])
        self.outputs: list[np.ndarray] = []

    def computed(self) -> np.ndarray:
        """The model's output at the next step."""
        step = len(self.outputs)
        weights, start = self.response.outputs[step], self.response.start[step]
        state: np.ndarray = start * self.first
        for weight, output in zip(weights, self.outputs, strict=False):
            state = state + weight * output
        return self.modes.output(state, self.signal[step], self.timeline.sigmas[step], self.timeline.guidance)

    def whole(self) -> np.ndarray:
        """All outputs `(N, M)`, computed."""
        while len(self.outputs) < self.timeline.steps:
            self.outputs.append(self.computed())
        return np.stack(self.outputs)


@lru_cache(CACHED)
def _steps(sigmas: tuple[float, ...], signal: tuple[float, ...], count: int) -> tuple[int, ...]:
    timeline = Timeline(sigmas, sigmas[:-1], signal=signal)
    outputs = _Sampling(FOR_STEPS, timeline).whole()
    return planned_steps(outputs @ outputs.T, sigmas[:-1], timeline.responds.final, signal, count)


def prior_steps(timeline: Timeline, count: int) -> tuple[int, ...]:
    """The `count` steps to compute of a sampling of which no picture is known. The same for every sampler and guidance,
    so that they can be shown beforehand."""
    return _steps(timeline.sigmas, timeline.signal, count)


@lru_cache(CACHED)
def _fits(
    sigmas: tuple[float, ...], signal: tuple[float, ...], response: Response | None, guidance: float, steps: tuple
) -> tuple[Fit, ...]:
    timeline = Timeline(sigmas, sigmas[:-1], signal=signal, response=response, guidance=guidance)
    reference = _Sampling(FOR_WEIGHTS, timeline).whole()
    steering = Steering(sigmas[:-1], timeline.responds.final, reference, Normal())
    sampling, kept = _Sampling(FOR_WEIGHTS, timeline), list[tuple[int, np.ndarray]]()
    for step in range(timeline.steps):
        if step in steps:
            kept.insert(0, (step, sampling.computed()))
        if len(kept) < 2:
            output = kept[0][1]
        else:
            fit = steering.corrected(step, kept) if step in steps else steering.predicted(step, kept)
            output = np.array(fit.weights) @ np.stack([value for _, value in kept[: len(fit.weights)]])
        steering.note(step, output)
        sampling.outputs.append(output)
    return tuple(_rounded(fit) for fit in steering.fits.values())


def _rounded(fit: Fit) -> Fit:
    """The fit with weights that do not follow the last digits of a linear algebra library."""
    return replace(fit, weights=tuple(round(weight, DIGITS) for weight in fit.weights))


def prior_fits(timeline: Timeline, steps: Sequence[int]) -> tuple[Fit, ...]:
    """Weights for a sampling that computes `steps`, by its sampler's response and its guidance."""
    return _fits(timeline.sigmas, timeline.signal, timeline.response, round(timeline.guidance, 2), tuple(steps))

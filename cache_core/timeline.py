"""Sigmas of one sampling, the step that an evaluation falls into, and when two sigmas are one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .modality import Modalities
from .response import Response

# Distances below which two sigmas are the same one.
SAME_NODE = 1e-6  # relative: an evaluation that a sampler repeats, up to rounding
SAME_STEP = 1e-4  # relative: a step of a schedule, which differs by less between devices
SAME_SAMPLING = 1e-3  # of the first sigma: each step of a schedule that was saved with a plan


def same(a: float, b: float, tolerance: float = SAME_STEP) -> bool:
    """True if the sigmas `a` and `b` are one: `|a - b| <= tolerance max(|a|, |b|)`."""
    return abs(a - b) <= tolerance * max(abs(a), abs(b))


def same_sampling(saved: Sequence[float], sigmas: Sequence[float]) -> bool:
    """True if `sigmas` are as many as `saved`, and each within SAME_SAMPLING of the first saved one."""
    room = SAME_SAMPLING * saved[0]
    return len(saved) == len(sigmas) and all(abs(a - b) <= room for a, b in zip(saved, sigmas, strict=True))


def _flow_percent(percent: float) -> float:
    return 1.0 - percent


@dataclass(frozen=True)
class Timeline:
    """Sigmas of one sampling, with the model's time at each step.

    `sigmas`: descending, one more than there are steps, the last one where the sampler stops (usually 0).
    `times`: model time of each step in [0, 1], 1 = pure noise; sigma itself for flow models. Length `steps`.
    `percent_to_sigma`: the sampling's own map from a percentage in [0, 1] (0 = start) to a sigma.
    `signal`: share of the clean latent in the state at each step, 1 - sigma for flow models; empty = 1, where noise is
    only added. `slopes`: True if outputs are slopes dx/dsigma and the sampler adds no noise, so that a sampling can be
    foreseen. `response`: the sampler's; None = Euler's. `guidance`: scale of classifier-free guidance, 1 = none.
    `modalities`: of the latent, where it holds several.
    """

    sigmas: tuple[float, ...]
    times: tuple[float, ...]
    percent_to_sigma: Callable[[float], float] = _flow_percent
    signal: tuple[float, ...] = ()
    slopes: bool = False
    response: Response | None = None
    guidance: float = 1.0
    modalities: Modalities = ()

    @classmethod
    def flow(cls, sigmas: tuple[float, ...]) -> "Timeline":
        """Timeline of a flow model: model time is sigma."""
        return cls(tuple(sigmas), tuple(sigmas[:-1]), signal=tuple(1 - s for s in sigmas[:-1]), slopes=True)

    @classmethod
    def even(cls, steps: int) -> "Timeline":
        """Timeline of a flow model with evenly spaced sigmas, to check a plan on before the sampling is known."""
        return cls.flow(tuple(1 - i / steps for i in range(steps + 1)))

    @property
    def steps(self) -> int:
        """Number of steps: one less than sigmas."""
        return len(self.sigmas) - 1

    @property
    def responds(self) -> Response:
        """The sampler's response, Euler's where it is not known."""
        return self.response or Response.of_euler(self.sigmas)

    @property
    def rises(self) -> bool:
        """True if the sampling goes from less noise to more, as when a picture is turned back into noise."""
        return self.sigmas[-1] > self.sigmas[0]

    def only(self, steps: tuple[int, ...]) -> "Timeline":
        """Timeline of the steps in `steps`, with the last sigma of this one."""
        sigmas = (*(self.sigmas[step] for step in steps), self.sigmas[-1])
        signal = tuple(self.signal[step] for step in steps) if self.signal else ()
        return replace(
            self, sigmas=sigmas, times=tuple(self.times[step] for step in steps), signal=signal, response=None
        )

    def step_of(self, sigma: float) -> int:
        """Step that `sigma` belongs to: the last one that starts at or above it, up to SAME_STEP.

        Sigmas between two steps (second-order samplers) belong to the earlier one, sigmas above the first (churn) to
        the first. Going back to an earlier sigma (heunpp2) gives the earlier step again: nothing is counted.
        """
        reached = sigma * (1 - SAME_STEP)
        return max((j for j in range(self.steps) if self.sigmas[j] >= reached), default=0)

    def inside(self, step: int, start: float, end: float) -> bool:
        """True if `step` lies between the percentages `start` and `end` of the sampling, as ComfyUI's nodes count."""
        upper = float("inf") if start <= 0 else self.percent_to_sigma(start)
        lower = 0.0 if end >= 1 else self.percent_to_sigma(end)
        return lower <= self.sigmas[step] <= upper

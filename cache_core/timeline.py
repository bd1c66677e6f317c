"""The run's clock: the sampler's sigmas, and where in them an evaluation falls."""

from collections.abc import Callable
from dataclasses import dataclass, replace


def _flow_percent(percent: float) -> float:
    return 1.0 - percent


@dataclass(frozen=True)
class Timeline:
    """The sigmas of one sampling.

    `sigmas`: descending, one more than there are steps, the last one where the sampler stops (usually 0).
    `times`: model time of each step in [0, 1], 1 = pure noise; sigma itself for flow models. Length `steps`.
    `percent_to_sigma`: the sampling's own map from a percentage in [0, 1] (0 = start) to a sigma.
    """

    sigmas: tuple[float, ...]
    times: tuple[float, ...]
    percent_to_sigma: Callable[[float], float] = _flow_percent

    @classmethod
    def flow(cls, sigmas: tuple[float, ...]) -> "Timeline":
        """A flow model's timeline: model time is sigma."""
        return cls(tuple(sigmas), tuple(sigmas[:-1]))

    @classmethod
    def even(cls, steps: int) -> "Timeline":
        """A flow model's timeline with evenly spaced sigmas, to check a plan on before the sampling is known."""
        return cls.flow(tuple(1 - i / steps for i in range(steps + 1)))

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def rises(self) -> bool:
        """Whether the sampling goes from less noise to more, as when a picture is turned back into noise."""
        return self.sigmas[-1] > self.sigmas[0]

    def only(self, steps: tuple[int, ...]) -> "Timeline":
        """The timeline of some of its steps."""
        sigmas = (*(self.sigmas[step] for step in steps), self.sigmas[-1])
        return replace(self, sigmas=sigmas, times=tuple(self.times[step] for step in steps))

    def step_of(self, sigma: float) -> int:
        """The step that `sigma` belongs to: the last one that starts at or above it.

        Sigmas between two steps (second-order samplers) belong to the earlier one, sigmas above the first (churn) to
        the first. Going back to an earlier sigma (heunpp2) gives the earlier step again: nothing is counted.
        """
        reached = sigma * (1 - 1e-4)
        return max((j for j in range(self.steps) if self.sigmas[j] >= reached), default=0)

    def inside(self, step: int, start: float, end: float) -> bool:
        """Whether `step` lies in the part of the sampling from percentage `start` to `end`, as ComfyUI's own nodes count it."""
        upper = float("inf") if start <= 0 else self.percent_to_sigma(start)
        lower = 0.0 if end >= 1 else self.percent_to_sigma(end)
        return lower <= self.sigmas[step] <= upper

"""The sigmas of a sampling that the page describes: exact where the model's sampling is known, else those of a flow
model."""

from __future__ import annotations

from dataclasses import dataclass

from ...cache_core import ConfigError, Timeline
from ...cache_core.errors import brief, check_range
from ...cache_core.plan import MOST_STEPS
from ..comfy import sampling

SHIFT = 3.0  # of the flow that stands for a model that has not run: near FLUX's at one megapixel, and SD3's
MOST_SCHEDULED = 10_000  # steps of a whole schedule, as ComfyUI's own samplers allow; more would keep the server busy
LEAVES_ONE_OUT = (
    "dpm_2",
    "dpm_2_ancestral",
    "uni_pc",
    "uni_pc_bh2",
)  # samplers for which KSampler leaves the last sigma but one out


@dataclass(frozen=True)
class Described:
    """What the page says of a sampling. `steps` of a whole schedule, of which those from `start` to `end` are
    sampled. `whole`: a KSampler."""

    steps: int = 20
    scheduler: str = ""
    sampler: str = ""
    denoise: float = 1.0
    start: int = 0
    end: int = MOST_SCHEDULED
    whole: bool = False

    def __post_init__(self) -> None:
        check_range("denoise", self.denoise, 0.01, 1.0)
        if not 1 <= self.steps <= MOST_STEPS:
            raise ConfigError(
                f"steps is {brief(str(self.steps))}; the preview shows 1 to {MOST_STEPS}. The run itself may have more."
            )
        if self.scheduled > MOST_SCHEDULED:
            raise ConfigError(
                f"steps {self.steps} at denoise {self.denoise:g} are the last of {self.scheduled}; the "
                f"preview looks at {MOST_SCHEDULED} at most. The run itself may have more."
            )
        if not 0 <= self.start < min(self.end, self.steps):
            raise ConfigError(
                f"The sampler starts at step {self.start} and ends at {min(self.end, self.steps)}: it has no steps. "
                "Start earlier."
            )

    @property
    def scheduled(self) -> int:
        """Steps of the whole schedule, of which a KSampler takes the last `steps`."""
        return int(self.steps / self.denoise)

    @property
    def sampled(self) -> int:
        """Steps that are sampled."""
        return min(self.end, self.steps) - self.start

    def cut(self, sigmas: tuple[float, ...]) -> tuple[float, ...]:
        """Of the sigmas of a whole schedule, those of the sampled steps."""
        return sigmas[-(self.steps + 1) :][self.start : self.end + 1]


def timeline_of(described: Described, model_sampling: object | None, last: Timeline | None) -> tuple[Timeline, bool]:
    """The timeline, and whether it is exact: by the node's own model sampling, or, for sigmas that no scheduler
    made, as in its last run."""
    if model_sampling is not None:
        sigmas = scheduled(described, model_sampling)
        if sigmas is not None and len(sigmas) > 1:
            return sampling.timeline(model_sampling, sigmas), True
    if last is not None and last.steps == described.sampled:
        return last, not described.scheduler
    return guessed(described), False


def scheduled(described: Described, model_sampling: object) -> object | None:
    """ComfyUI's sigmas; None for a scheduler that it does not have."""
    from comfy import samplers

    if described.scheduler not in samplers.SCHEDULER_NAMES:
        return None
    one_out = described.whole and described.sampler in LEAVES_ONE_OUT
    total = described.scheduled + one_out
    sigmas = samplers.calculate_sigmas(model_sampling, described.scheduler, total).cpu()
    if one_out:
        sigmas = sigmas[[*range(len(sigmas) - 2), -1]]
    return described.cut(sigmas)


def guessed(described: Described) -> Timeline:
    """Even steps of a shifted flow."""
    total = described.scheduled
    sigmas = tuple(shifted(1 - i / total) for i in range(total + 1))
    kept = described.cut(sigmas)
    return Timeline(kept, kept[:-1], lambda percent: shifted(1 - percent))


def shifted(time: float) -> float:
    return SHIFT * time / (1 + (SHIFT - 1) * time)

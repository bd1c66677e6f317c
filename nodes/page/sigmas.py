"""Sigmas of a sampling that the page describes: exact where the model's sampling is known, else a flow model's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...cache_core import ConfigError, Timeline
from ...cache_core.errors import brief, check_range
from ...cache_core.plan import MOST_STEPS
from ..comfy import sampling
from .last_runs import Facts

SHIFT = 3.0  # of the flow that stands for a model that has not run: near FLUX's at one megapixel, and SD3's
MOST_SCHEDULED = 10_000  # steps of a whole schedule, as ComfyUI's own samplers allow; more would keep the server busy
FIRST_FLIPPED = 1e-4  # the first sigma of a schedule that FlipSigmas turns round, in place of 0
# samplers for which KSampler leaves the last sigma but one out
LEAVES_ONE_OUT = ("dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2")


@dataclass(frozen=True)
class Described:
    """A sampling as the page describes it: of a schedule of `steps` steps, those from `start` to `end` are sampled.
    `whole`: by a KSampler. `sigmas`: those of the schedule, where they were written down; empty where they were not.
    `flipped`: sampled backwards."""

    steps: int = 20
    scheduler: str = ""
    sampler: str = ""
    denoise: float = 1.0
    start: int = 0
    end: int = MOST_SCHEDULED
    whole: bool = False
    sigmas: tuple[float, ...] = ()
    flipped: bool = False

    def __post_init__(self) -> None:
        check_range("denoise", self.denoise, 0.01, 1.0)
        end, given = min(self.end, self.steps), brief(str(self.steps))
        if not 1 <= self.steps <= MOST_STEPS:
            raise ConfigError(f"steps is {given}; the preview shows 1 to {MOST_STEPS}. The run itself may have more.")
        if self.scheduled > MOST_SCHEDULED:
            raise ConfigError(
                f"steps {self.steps} at denoise {self.denoise:g} are the last of {self.scheduled}; the preview has "
                f"{MOST_SCHEDULED} at most. The run itself may have more."
            )
        if self.sigmas and not self.written:
            raise ConfigError(
                f"sigmas is {brief(repr(self.sigmas))}; they must be finite, at least 0, the first one above the last, "
                f"and {self.steps + 1} for {self.steps} steps."
            )
        if not 0 <= self.start < end:
            raise ConfigError(
                f"The sampler starts at step {self.start} and ends at {end}: it has no steps. Start earlier."
            )

    @property
    def written(self) -> bool:
        """True if `sigmas` can be sampled: as many as the steps have, finite, none below 0, and falling in all."""
        given = self.sigmas
        return len(given) == self.steps + 1 and all(0 <= s < float("inf") for s in given) and given[0] > given[-1]

    @property
    def scheduled(self) -> int:
        """Steps of the whole schedule, of which a KSampler takes the last `steps`."""
        return int(self.steps / self.denoise)

    @property
    def sampled(self) -> int:
        """Steps that are sampled."""
        return min(self.end, self.steps) - self.start

    def cut(self, sigmas: Sequence[float]) -> tuple[float, ...]:
        """The sigmas of the sampled steps, one more than these, from those of the scheduled ones."""
        kept = sigmas[-(self.steps + 1) :]  # all of them but where denoise is below 1
        cut = tuple(kept[self.start : self.end + 1])
        return (cut[-1] or FIRST_FLIPPED, *cut[-2::-1]) if self.flipped and cut else cut


def timeline_of(described: Described, last: Facts | None) -> tuple[Timeline, bool]:
    """The timeline, and True if it is exact: by the model sampling of the node's last run, or, for sigmas that no
    scheduler made, as in that run."""
    if last is not None and last.model_sampling is not None:
        sigmas = described.cut(described.sigmas) or scheduled(described, last.model_sampling)
        if len(sigmas) > 1:
            import torch

            return sampling.timeline(last.model_sampling, torch.tensor(sigmas), described.sampler), True
    if last is not None and last.timeline.steps == described.sampled:
        slopes = last.timeline.slopes and not sampling.noisy_name(described.sampler)
        return replace(last.timeline, slopes=slopes), not described.scheduler
    return guessed(described), False


def scheduled(described: Described, model_sampling: Any) -> tuple[float, ...]:
    """ComfyUI's sigmas, one more than steps are sampled; none for a scheduler that it does not have."""
    from comfy import samplers

    if described.scheduler not in samplers.SCHEDULER_NAMES:
        return ()
    one_out = described.whole and described.sampler in LEAVES_ONE_OUT
    total = described.scheduled + one_out
    sigmas = samplers.calculate_sigmas(model_sampling, described.scheduler, total).cpu()
    if one_out:
        sigmas = sigmas[[*range(len(sigmas) - 2), -1]]
    return described.cut(sigmas.tolist())


def guessed(described: Described) -> Timeline:
    """A timeline of a shifted flow: of the sigmas that were written down, where they are a flow's, else of even
    steps."""
    total, written = described.scheduled, described.sigmas
    even = tuple(shifted(1 - i / total) for i in range(total + 1))
    kept = described.cut(written if written and max(written) <= 1 else even)
    slopes = not sampling.noisy_name(described.sampler)
    return replace(Timeline.flow(kept), percent_to_sigma=lambda percent: shifted(1 - percent), slopes=slopes)


def shifted(time: float) -> float:
    """Sigma of a flow at an unshifted time: SHIFT t / (1 + (SHIFT - 1) t)."""
    return SHIFT * time / (1 + (SHIFT - 1) * time)

"""A lab model as a calibration sees it."""

import torch
from torch import Tensor, nn

from cache_core import Plan, Timeline
from cache_core.calibrate import Watch

from .demo import GUIDANCE
from .families import Family
from .sample import flow_sigmas, load, noise_of, sample
from .scenes import CLASSES

FIRST_CALIBRATED = 1000  # seeds from 0 on are tested; those from here on are learned from


class LabBench:
    """A `cache_core.calibrate.Bench`: one picture or clip for each number, of the seed `first` + number and a class
    of its own."""

    def __init__(self, family: Family, steps: int, first: int = FIRST_CALIBRATED, model: nn.Module | None = None):
        self.family, self.first = family, first
        self.model: nn.Module = model or load(family)[0]
        self.sigmas = flow_sigmas(steps, family.shift)
        self.timeline = Timeline.flow(self.sigmas)
        self.scale = (1.0,) * steps
        self.signal = tuple(1 - sigma for sigma in self.sigmas[:-1])

    def drawn(self, seeds: range) -> tuple[Tensor, Tensor]:
        """Noise and labels of some seeds."""
        return noise_of(list(seeds), self.family.latents), torch.tensor([seed % len(CLASSES) for seed in seeds])

    def sample(self, number: int, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        seed = self.first + number
        return sample(self.model, *self.drawn(range(seed, seed + 1)), self.sigmas, plans, GUIDANCE, watch=watch)[0]

"""A lab model as a calibration sees it."""

import torch
from torch import Tensor, nn

from cache_core import Plan
from cache_core.calibrate import Watch
from cache_core.modality import Modalities

from .demo import GUIDANCE
from .families import Family
from .sample import flow_sigmas, load, noise_of, sample, timeline_of
from .scenes import CLASSES

FIRST_CALIBRATED = 1000  # seeds from 0 on are tested; those from here on are learned from


class LabBench:
    """A `cache_core.calibrate.Bench`: one picture or clip for each number, of the seed `first` + number and a class
    of its own. `sigmas`: None = the family's even steps, shifted. `modalities`: of a packed latent (lab.packed), each
    predicted apart."""

    def __init__(
        self,
        family: Family,
        steps: int,
        first: int = FIRST_CALIBRATED,
        model: nn.Module | None = None,
        sigmas: tuple[float, ...] | None = None,
        solver: str = "euler",
        guidance: float = GUIDANCE,
        modalities: Modalities = (),
    ):
        self.family, self.first, self.solver, self.guidance = family, first, solver, guidance
        self.modalities = modalities
        self.model: nn.Module = model or load(family)[0]
        self.sigmas = sigmas or flow_sigmas(steps, family.shift)
        self.timeline = timeline_of(self.sigmas, guidance, solver, modalities)

    def drawn(self, seeds: range) -> tuple[Tensor, Tensor]:
        """Noise and labels of some seeds."""
        return noise_of(list(seeds), self.family.latents), torch.tensor([seed % len(CLASSES) for seed in seeds])

    def sample(self, number: int, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        """The final latent of sample `number` (see calibrate.Bench)."""
        seed = self.first + number
        return self.run(*self.drawn(range(seed, seed + 1)), plans, watch)

    def run(self, noise: Tensor, labels: Tensor, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        """Samples from `noise` `(B, C, ...)`."""
        options = {"watch": watch, "solver": self.solver, "modalities": self.modalities}
        return sample(self.model, noise, labels, self.sigmas, plans, self.guidance, **options)[0]

"""Entrants of a contest, and the score of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from ..plan import Plan
from ..predictor import REUSE
from ..saved_plan.saved_plan import Origin, SavedPlan
from ..schedule import TableAt
from ..settings import Settings
from ..site import BRANCHES


@dataclass(frozen=True)
class Entrant:
    """One way to sample in less time. `settings`: of the cache; None without one. `sigmas`: of its own, fewer than
    those of the uncached picture; empty for the same. `sampler`: another one than the contest's, by name. `plan`: as a
    file holds it; None where none can. `refusal`: the reason why it cannot take part."""

    name: str
    settings: Settings | None = None
    sigmas: tuple[float, ...] = ()
    sampler: str = ""
    plan: SavedPlan | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Score:
    """Means over the pictures of an entrant. `work`: computed evaluations. `seconds`: of a picture. `psnr` in dB,
    `ssim` and `drift` (relative L2) to the uncached pictures of the same seeds. `peak_bytes`: of the cache."""

    entrant: Entrant
    work: float
    seconds: float
    psnr: float
    ssim: float
    drift: float
    peak_bytes: int

    @classmethod
    def of(cls, entrant: Entrant, each: Sequence["Score"]) -> "Score":
        """The mean of the scores of single pictures."""
        known = {name: mean(getattr(s, name) for s in each) for name in ("work", "seconds", "psnr", "ssim", "drift")}
        return cls(entrant, **known, peak_bytes=max(s.peak_bytes for s in each))


def fewer_sigmas(sigmas: Sequence[float], steps: int) -> tuple[float, ...]:
    """Sigmas `(steps + 1,)` of a sampling with fewer steps: those given, between their places in a straight line.

    A scheduler makes them from a curve over the share of steps, which this follows.
    """
    places = np.linspace(0, len(sigmas) - 1, steps + 1)
    return tuple(float(sigma) for sigma in np.interp(places, np.arange(len(sigmas)), sigmas))


def kept_as(plan: Plan, origin: Origin) -> SavedPlan | None:
    """The plan as a file holds it; None for one that decides during the run, or predicts in a way of its own."""
    everywhere = not plan.ranges and not plan.sites
    plain = plan.predictor == REUSE and not plan.corrector.active and plan.compensation is None and everywhere
    if not plain or not isinstance(plan.schedule, TableAt) or plan.kinds <= BRANCHES:
        return None
    return SavedPlan(origin, plan.schedule, order=1)

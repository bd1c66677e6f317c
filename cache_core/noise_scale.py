"""Noise scaling against exposure bias: one signed factor on the predicted noise, 1 = off."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .errors import check_range

if TYPE_CHECKING:
    from torch import Tensor

STEEPNESS = 5.0  # of the exponentials in FEB-Cache's b(t)
Array = TypeVar("Array", float, "Tensor")


def staged_scale(time: float, high: float, low: float, boundary: float) -> float:
    """FEB-Cache's b(t) for model time `time` in [0, 1], 1 = pure noise.

    High noise, t > boundary: `b = b_h + (1 - b_h) exp(-5 (1 - t) / (1 - boundary))`, which is 1 at t = 1.
    Low noise: `b = b_l + (b_h - b_l) exp(5 (t - boundary) / (1 - boundary))`.
    At the boundary the two differ by exp(-5) (1 - b_h). FEB-Cache, arXiv 2503.07120, eq. 3.
    """
    span = 1 - boundary
    if time > boundary:
        return high + (1 - high) * math.exp(-STEEPNESS * (1 - time) / span)
    return low + (high - low) * math.exp(STEEPNESS * (time - boundary) / span) if span else low


def scale_noise(x: Array, denoised: Array, alpha: float, factor: float) -> Array:
    """Denoised prediction with its noise multiplied by `factor`: `(1 - factor) x / alpha + factor denoised`.

    `x`, `denoised`: latents of one shape, with `x = alpha x0 + sigma eps` and `denoised` the predicted x0; eps is
    replaced by factor eps. For a flow model alpha = 1 - sigma, and this is the velocity `(factor (x + (1 - s) v) - x)
    / (1 - s)`: the noise is scaled, not the velocity. At alpha = 0 there is nothing but noise, which cannot be told
    from x: `denoised` is returned as it is.
    """
    if factor == 1.0 or alpha < 1e-3:
        return denoised
    return (1 - factor) / alpha * x + factor * denoised


@dataclass(frozen=True)
class NoiseScale:
    """Factors for the high and the low noise stage; both 1 = off, both equal with `staged=False` = one constant.

    The paper's text multiplies the predicted noise by b < 1, its released code divides the output by 0.965: opposite
    directions. Both are here, as `PAPER_TEXT` and `RELEASED_CODE`; which one helps is a matter of measurement.
    """

    high: float = 1.0
    low: float = 1.0
    boundary: float = 0.4
    staged: bool = True

    def __post_init__(self) -> None:
        check_range("noise_scale_high", self.high, 0.9, 1.1)
        check_range("noise_scale_low", self.low, 0.9, 1.1)
        check_range("stage_boundary", self.boundary, 0.0, 1.0)

    @property
    def active(self) -> bool:
        """True if the scale changes anything."""
        return (self.high, self.low) != (1.0, 1.0)

    def factor(self, time: float) -> float:
        """Factor on the predicted noise at model time `time` in [0, 1], 1 = pure noise."""
        if not self.active:
            return 1.0
        if not self.staged:
            return self.high if time > self.boundary else self.low
        return staged_scale(time, self.high, self.low, self.boundary)


OFF = NoiseScale()
PAPER_TEXT = NoiseScale(high=0.98, low=0.96)
RELEASED_CODE = NoiseScale(high=1 / 0.965, low=1 / 0.965, staged=False)

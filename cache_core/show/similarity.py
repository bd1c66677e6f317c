"""Similarity of two pictures: PSNR, SSIM, their difference, and one wiped over the other."""

from math import log10

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ..errors import ConfigError

WINDOW, SPREAD = 11, 1.5  # of SSIM's Gaussian, in pixels
STABLE = (0.01**2, 0.03**2)  # SSIM's constants, for a range of 1

# PSNR in dB from which on two pictures are as near to the eye
WORDS = ((60, "the same to the eye"), (40, "hard to tell apart"), (30, "small details differ"))
RANGE = 6.0  # width of a latent's range in its own root mean square, as of a Gaussian's


def to_the_eye(decibels: float) -> str:
    """A PSNR in words."""
    return next((words for least, words in WORDS if decibels >= least), "details differ")


def decibels_of(drift: float) -> int:
    """PSNR in dB of two latents at this relative L2 distance, their range taken as 6 times their root mean square:
    `20 log10(6 / drift)`."""
    return round(20 * log10(RANGE / max(drift, 1e-6)))


def in_words(drift: float) -> str:
    """A drift (relative L2 distance of two latents) in words, with the PSNR."""
    decibels = decibels_of(drift)
    return f"PSNR of about {decibels} dB, {to_the_eye(decibels)}"


def psnr(pictures: Tensor, reference: Tensor, peak: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio of `(B, ...)` in dB, float64, `(B,)`: `10 log10(peak^2 / mean (x - y)^2)`.

    `peak`: width of the range of values. inf where nothing differs.
    """
    return 10 * (peak**2 / (pictures.double() - reference.double()).square().flatten(1).mean(1)).log10()


def ssim(pictures: Tensor, reference: Tensor) -> Tensor:
    """Structural similarity of `(B, H, W, C)` in [0, 1]: `(B,)`, 1 = alike.

    Mean over channels and the places where the whole window fits; Wang et al. 2004, with its 11 x 11 Gaussian window.
    Raises ConfigError for pictures smaller than that.
    """
    if min(pictures.shape[1:3]) < WINDOW:
        raise ConfigError(
            f"The pictures are {pictures.shape[2]} x {pictures.shape[1]}; SSIM needs {WINDOW} x {WINDOW} at least. "
            "Compare larger ones."
        )
    a, b = (x.double().movedim(-1, 1).flatten(0, 1).unsqueeze(1) for x in (pictures, reference))
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b, both = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2, _blurred(a * b) - mean_a * mean_b
    alike = (
        (2 * mean_a * mean_b + STABLE[0])
        * (2 * both + STABLE[1])
        / ((mean_a**2 + mean_b**2 + STABLE[0]) * (var_a + var_b + STABLE[1]))
    )
    return alike.flatten(1).mean(1).unflatten(0, (len(pictures), -1)).mean(1)


def _blurred(x: Tensor) -> Tensor:
    """`(N, 1, H, W)` blurred by the Gaussian window in both directions, where it fits: `(N, 1, H - 10, W - 10)`."""
    places = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    weights = (-(places**2) / (2 * SPREAD**2)).exp()
    weights = weights / weights.sum()
    return conv2d(conv2d(x, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))


def difference(pictures: Tensor, reference: Tensor, amplified: float) -> Tensor:
    """Absolute difference of `(B, H, W, C)`, `amplified` times as bright, clamped to [0, 1]: `(B, H, W, C)`."""
    return ((pictures - reference).abs() * amplified).clamp(0, 1)


def wipe(pictures: Tensor, reference: Tensor, place: float) -> Tensor:
    """`reference` left of `place`, 0 to 1 of the width, and `pictures` right of it, a thin line between.

    All `(B, H, W, C)`.
    """
    wiped, column = pictures.clone(), round(place * pictures.shape[2])
    wiped[:, :, :column] = reference[:, :, :column]
    if 0 < column < pictures.shape[2]:
        wiped[:, :, column] = 1.0
    return wiped

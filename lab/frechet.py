"""How far apart two sets of pictures are as distributions, whichever picture of one belongs to which of the other.

PSNR asks whether a cached run drew the same picture; the Frechet distance asks whether it drew pictures as good. Its
features here come from a fixed random network, so a distance ranks the lab's settings and does not compare with
published FIDs. Few pictures make it larger (Chong and Forsyth 2020, arXiv 1911.07023), so compare sets of one size.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad, relu

from .codec import decode, encode
from .families import Family
from .scenes import CLASSES, film

WIDTHS = (16, 16, 16, 16)  # channels at 64, 32, 16 and 8 pixels
SEED = 0
FLOOR = 0.03  # a response well below it counts as none; colours span [-1, 1]
CHUNK = 8  # pictures or clips in the network at once: their maps stay in the processor's cache


@dataclass(frozen=True)
class Statistics:
    """The Gaussian of a set's features: `mean (D,)` and `covariance (D, D)`, float64, of `count` pictures."""

    mean: Tensor
    covariance: Tensor
    count: int


@cache
def _filters() -> tuple[Tensor, ...]:
    """The network's 3 x 3 filters, `(out, in, 3, 3)` each: seeded, normal, of variance 2 / fan-in (He et al. 2015).

    Less their mean, so that they see edges and not the plain colours that would drown them; 8 numbers of 9 are free
    then.
    """
    generator = torch.Generator().manual_seed(SEED)
    shapes = zip(WIDTHS, (3, *WIDTHS), strict=False)
    drawn = [torch.randn(out, into, 3, 3, generator=generator) * math.sqrt(2 / (8 * into)) for out, into in shapes]
    return tuple(filters - filters.mean((2, 3), keepdim=True) for filters in drawn)


def _pooled(maps: Tensor) -> Tensor:
    """Mean and standard deviation over the places of `maps (N, C, H, W)`, `(N, 2C)`: how much there is, and how
    unevenly."""
    return torch.cat([maps.mean((2, 3)), maps.std((2, 3))], 1)


def _of_pictures(pictures: Tensor) -> Tensor:
    """Features `(N, 134)` of `(N, 3, H, W)`: the colours pooled, then each scale of the network, the finest first.

    Responses on a log scale, as blur and noise multiply them: raw, the large ones of the contrasts hide the small
    ones of the detail.
    """
    maps, found = pictures, [_pooled(pictures)]
    for scale, filters in enumerate(_filters()):
        # Zeros beyond the border would be an edge all round.
        maps = relu(conv2d(pad(maps, (1, 1, 1, 1), "replicate"), filters.to(maps), stride=min(scale + 1, 2)))
        found.append((_pooled(maps) / FLOOR).log1p())
    return torch.cat(found, 1)


def _of_clips(clips: Tensor) -> Tensor:
    """Features `(N, 268)` of `(N, 3, T, H, W)`: those of a frame, averaged over frames, then those of the mean
    absolute change between frames."""
    frames = _of_pictures(clips.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(clips), -1)).mean(1)
    return torch.cat([frames, _of_pictures(clips.diff(dim=2).abs().mean(2))], 1)


@torch.no_grad()
def features(pictures: Tensor) -> Tensor:
    """Features `(N, 134)` of pictures `(N, 3, H, W)` in [-1, 1]; `(N, 268)` of clips `(N, 3, T, H, W)` with T >= 2."""
    extract = _of_clips if pictures.ndim == 5 else _of_pictures
    return torch.cat([extract(chunk.float()) for chunk in pictures.split(CHUNK)])


def statistics(pictures: Tensor) -> Statistics:
    """Mean and unbiased covariance of the features of pictures or clips. Raises ValueError for fewer than two."""
    if len(pictures) < 2:
        raise ValueError(f"a covariance needs at least 2 pictures; there is {len(pictures)}. Draw more.")
    found = features(pictures).double().cpu()
    return Statistics(found.mean(0), found.T.cov(), len(found))


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root. Eigenvalues that rounding made negative count as zero."""
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T


def frechet(a: Statistics, b: Statistics) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)): Heusel et al. 2017, arXiv 1706.08500, eq. 6. At least 0; raises
    ValueError if D differs.

    C1 C2 has the eigenvalues of the symmetric sqrt(C1) C2 sqrt(C1). Their roots are the singular values of sqrt(C2)
    sqrt(C1), taken as such: squaring them first would leave an error of 1e-8 for every direction that neither set
    varies in, and sets smaller than D have many.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"features of {len(a.mean)} and of {len(b.mean)} numbers cannot be compared; give two sets of pictures or "
            "two of clips."
        )
    shared = torch.linalg.svdvals(_root(b.covariance) @ _root(a.covariance)).sum()
    apart = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * shared
    return max(0.0, float(apart))


def reference(family: Family, count: int, seed: int) -> Tensor:
    """`count` pictures `(N, 3, 64, 64)`, or clips, drawn as in training, classes in turn, and shown as samples are
    shown.

    Encoded, decoded and clamped like a sample, they lose what no model of latents could draw, so the codec's loss is
    no distance.
    """
    drawn = film(torch.arange(count) % len(CLASSES), torch.Generator().manual_seed(seed), family.frames)
    shown = decode(encode(drawn)).clamp(-1, 1)
    return shown.squeeze(2) if family.frames == 1 else shown

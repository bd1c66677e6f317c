"""A latent's low and high radial frequencies: where reuse does its damage (FEB-Cache, arXiv 2503.07120, section 3)."""

import torch
from torch import Tensor

EDGE = 0.5  # of the largest frequency along an axis: where the low band ends


def low_pass(shape: tuple[int, ...]) -> Tensor:
    """1 where a frequency is low, else 0, over the last axes of these lengths, as torch.fft.fftn orders them."""
    squared = torch.zeros(shape)
    for axis, length in enumerate(shape):
        frequency = torch.fft.fftfreq(length).abs() * 2
        squared = squared + frequency.square().reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return (squared.sqrt() < EDGE).float()


def band_grams(values: Tensor) -> Tensor:
    """Inner products of `values` `(M, B, C, ..., H, W)` within each band: `(2, M, M)`, low band first; they add up
    to the plain ones.

    A latent without two spatial axes `(M, B, C, L)` is split along the last one.
    """
    axes = (-2, -1) if values.ndim > 4 else (-1,)
    spectrum = torch.fft.fftn(values.float(), dim=axes, norm="ortho")
    low = low_pass(tuple(values.shape[axis] for axis in axes)).to(values.device)
    return torch.stack([_gram(spectrum * mask) for mask in (low, 1 - low)])


def _gram(spectrum: Tensor) -> Tensor:
    flat = torch.view_as_real(spectrum).flatten(1).double()
    return (flat @ flat.T).cpu()

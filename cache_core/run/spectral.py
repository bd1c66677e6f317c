"""The filter of SeaCache: frequencies of a feature, weighed by how much of the picture they hold at a noise level."""

import torch
from torch import Tensor

LEAST = 1e-6  # of the shares of picture and noise


def gain(count: int, time: float, beta: float) -> Tensor:
    """Weights `(count,)` of frequencies `f = fftfreq(count)` of one axis: `g = a S / (a^2 S + b^2)`, `a = 1 - time`,
    `b = time`, `S = |f|^-beta`; written as `a / (a^2 + b^2 |f|^beta)`, which is 1 / a at f = 0."""
    a, b = max(1 - time, LEAST), max(time, LEAST)
    return a / (a**2 + b**2 * torch.fft.fftfreq(count, dtype=torch.float64).abs() ** beta)


def weights(shape: tuple[int, ...], time: float, beta: float) -> Tensor:
    """Weights of a grid of this shape: the product of those of its axes, relative to their mean."""
    product = torch.ones((), dtype=torch.float64)
    for count in shape:
        product = product.unsqueeze(-1) * gain(count, time, beta)
    return product / product.mean()


def filtered(value: Tensor, time: float, beta: float) -> Tensor:
    """`value` `(B, C, ...)` with the frequencies of its grid weighed, in float32."""
    axes = tuple(range(2, value.ndim))
    by = weights(tuple(value.shape[2:]), time, beta).to(value.device, torch.float32)
    return torch.fft.ifftn(torch.fft.fftn(value.float(), dim=axes) * by, dim=axes).real.contiguous()

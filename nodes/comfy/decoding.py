"""Latents as pictures: by a VAE, or by ComfyUI's rough colours of a latent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor


def decoder(model: Any, shape: Sequence[int], vae: Any = None) -> Callable[[Tensor], Tensor]:
    """A function that makes pictures `(N, H, W, 3)`, about in [0, 1], of a latent of this `shape`; of a video all its
    frames, of several modalities in one the first."""
    form = model.model.latent_format
    factors, bias = getattr(form, "latent_rgb_factors", None), getattr(form, "latent_rgb_factors_bias", None)

    def decode(latent: Tensor) -> Tensor:
        first = latent if latent.shape[1:] == tuple(shape[1:]) else latent.flatten()[: prod(shape)].reshape(*shape)
        return rough(form.process_in(first), factors, bias) if vae is None else _frames(vae.decode(first))

    return decode


def rough(latent: Tensor, factors: list | None, bias: list | None = None) -> Tensor:
    """Pictures `(N, H, W, 3)` of a latent `(B, C, ..., H, W)`: `(x F + b + 1) / 2` by factors F `(C, 3)`, as ComfyUI's
    preview has them, or its first channels, of which 6 times the root mean square is the range."""
    value = latent.float().movedim(1, -1)
    value = value.reshape(-1, *value.shape[-3:]) if value.ndim > 3 else value.unsqueeze(1)
    if factors is None or len(factors) != value.shape[-1]:
        last = value.shape[-1] - 1
        return value[..., [0, min(1, last), min(2, last)]] / 6 + 0.5
    return (value @ torch.tensor(factors) + torch.tensor(bias or [0.0] * 3) + 1) / 2


def _frames(pictures: Tensor) -> Tensor:
    """Pictures `(N, H, W, 3)` of a batch, or of a batch of videos `(B, T, H, W, 3)`."""
    return pictures.reshape(-1, *pictures.shape[-3:]).float().cpu()

"""Modalities of a latent that holds several, such as video and its sound: packed one behind the other, denoised
together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Modality:
    """One of the latents that a model denoises together. `name`: for people. `size`: elements of one sample."""

    name: str
    size: int


Modalities = tuple[Modality, ...]  # of a packed latent; empty for a latent that is one


def modalities_of(shapes: Sequence[Sequence[int]]) -> Modalities:
    """Modalities of latents of these shapes `(B, C, ...)`, packed in this order; none for a single one.

    Beside frames `(B, C, T, H, W)` the others are audio, as in LTX-2 and MiniMax H3.
    """
    if len(shapes) < 2:
        return ()
    video = any(len(shape) == 5 for shape in shapes)
    return tuple(Modality(_name(place, shape, video), prod(shape[1:])) for place, shape in enumerate(shapes))


def _name(place: int, shape: Sequence[int], video: bool) -> str:
    if not video:
        return f"latent {place + 1}"
    return "video" if len(shape) == 5 else "audio"


def apart(value: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Slices `(..., size)` of a packed `value` `(..., L)`; the value alone where it is not packed from these."""
    if len(sizes) < 2 or value.shape[-1] != sum(sizes):
        return (value,)
    return tuple(value.split(list(sizes), dim=-1))

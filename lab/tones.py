"""Tones that belong to drawn clips: stereo band levels that follow the class and the motion of what is seen.

A clip sounds as two to three partials of a voice, whose pitch and timbre are those of its class, and as clicks. The
voice moves in the stereo field as the shape moves across the canvas, glides with its rise, and wavers as it turns.
"""

import math

import torch
from torch import Tensor

from .codec import cosine_basis
from .scenes import CLASSES

BANDS, SIDES, FRAMES = 8, 2, 12  # two bands to an octave
WIDTH = 0.6  # of a partial, in bands
LOUDNESS = 20.0  # levels are log(1 + LOUDNESS energy)
# Mean and standard deviation of each coefficient over 4,096 clips, the latter to the power 3/4 as in lab.codec and then
# scaled so that latents have a variance of one. Printed by `python3 -m lab.tones`.
MEANS = (2.21, 0.031, -0.645, -0.037, -0.043, -0.02, -0.054, -0.006)
SCALES = (1.028, 0.873, 0.637, 0.364, 0.388, 0.4, 0.298, 0.244)


class Voice:
    """Random numbers of one batch of sounds, `(B, 1, 1)`, the same for the same state of the generator."""

    def __init__(self, batch: int, generator: torch.Generator):
        self.batch, self.generator = batch, generator

    def uniform(self, low: float, high: float) -> Tensor:
        return torch.empty(self.batch, 1, 1).uniform_(low, high, generator=self.generator)


def levels(labels: Tensor, motion: Tensor, generator: torch.Generator) -> Tensor:
    """Levels `(B, 8, 2, 12)` from 0 up of classes `labels` `(B,)` that move as `motion` `(B, 3)` says: the way right,
    the way down, and the turn in radians (see scenes.moving)."""
    voice, place = Voice(len(labels), generator), torch.linspace(0, 1, FRAMES)
    right, down, turn = (part.view(-1, 1, 1) for part in motion.unbind(1))
    kind = labels.view(-1, 1, 1).float() / len(CLASSES)
    energy = _partials(voice, kind, place, down, turn) + _clicks(voice, labels.view(-1, 1, 1), place)
    side = (0.9 * right * (2 * place - 1) + voice.uniform(-0.3, 0.3)).clamp(-1, 1)  # -1 is left
    angle = (1 + side) * (math.pi / 4)
    return torch.log1p(LOUDNESS * energy[:, :, None] * torch.stack([angle.cos(), angle.sin()], 2).square())


def _partials(voice: Voice, kind: Tensor, place: Tensor, down: Tensor, turn: Tensor) -> Tensor:
    """Energy `(B, bands, frames)` of a tone with its overtones."""
    pitch = 0.5 + 4 * kind + voice.uniform(-0.3, 0.3)
    pitch = pitch - 2.5 * down * (place - 0.5)
    pitch = pitch + 1.5 * turn * torch.sin(2 * math.pi * voice.uniform(1.5, 3) * place + voice.uniform(0, 2 * math.pi))
    start, decay = voice.uniform(0, 0.25), voice.uniform(0.3, 1.2)
    envelope = torch.sigmoid(40 * (place - start)) * torch.exp(-(place - start).clamp_min(0) / decay)
    bright = torch.remainder(7 * kind, 1) * 0.8 + 0.1  # of each overtone against the one before
    bands = torch.arange(BANDS).view(1, -1, 1)
    heard = [
        bright**order * torch.exp(-(((bands - pitch - 2 * math.log2(order + 1)) / WIDTH) ** 2) / 2)
        for order in range(3)
    ]
    return envelope * torch.stack(heard).sum(0)


def _clicks(voice: Voice, labels: Tensor, place: Tensor) -> Tensor:
    """Energy `(B, bands, frames)` of one to three short noises, evenly spaced; how bright they are depends on the
    class."""
    count, first = labels % 3 + 1, voice.uniform(0, 1)
    phase = torch.remainder(place * count - first, 1) * FRAMES / count  # frames since the last one
    tilt = torch.where(labels % 2 == 1, 1.0, -1.0) * (torch.arange(BANDS).view(1, -1, 1) / (BANDS - 1) - 0.5)
    return voice.uniform(0.2, 0.6) * torch.exp(2 * tilt - 2 * phase)


def _coded(values: Tensor) -> Tensor:
    return torch.einsum("kc,bcst->bkst", cosine_basis(BANDS).to(values), values)


def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(-1, 1, 1)


def encode(sounds: Tensor) -> Tensor:
    """Latents `(B, 8, 2, T)` of levels `(B, 8, 2, T)`: a cosine basis over the bands, centred and scaled."""
    return (_coded(sounds) - _column(MEANS, sounds)) / _column(SCALES, sounds)


def decode(latents: Tensor) -> Tensor:
    """Levels of latents: `decode(encode(s))` is s."""
    values = latents * _column(SCALES, latents) + _column(MEANS, latents)
    return torch.einsum("kc,bkst->bcst", cosine_basis(BANDS).to(values), values)


if __name__ == "__main__":
    from .scenes import moving

    drawn = torch.Generator().manual_seed(0)
    known = torch.arange(4096) % len(CLASSES)
    found = _coded(levels(known, moving(known, drawn, 2)[1], drawn))
    spread = found.std((0, 2, 3))
    scales = spread**0.75
    scales = scales * (spread / scales).square().mean().sqrt()
    print("MEANS =", tuple(round(float(m), 3) for m in found.mean((0, 2, 3))))
    print("SCALES =", tuple(round(float(s), 3) for s in scales))

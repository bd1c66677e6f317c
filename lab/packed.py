"""Clips with sound as the latents that ComfyUI samples: video and audio packed in one row."""

from math import prod

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d

from cache_core.modality import Modality

from . import codec, tones
from .scenes import CLASSES, moving

VIDEO, AUDIO = (codec.CHANNELS, 3, 8, 8), (tones.BANDS, tones.SIDES, tones.FRAMES)
SIZES = (prod(VIDEO), prod(AUDIO))
MODALITIES = (Modality("video", SIZES[0]), Modality("audio", SIZES[1]))
LATENTS = (1, sum(SIZES))
SHIFT, AUDIO_SHIFT = 12.0, 3.0  # of the sigmas of video and audio, as released
CARRIED = SHIFT / AUDIO_SHIFT  # the factor of a clean audio latent where both are sampled as one
VIDEO_SCALE = 1.057  # standard deviation of the coded clips, printed by `python3 -m lab.packed`


def pack(video: Tensor, audio: Tensor) -> Tensor:
    """One row `(B, 1, L)` of latents `(B, 16, 3, 8, 8)` and `(B, 8, 2, 12)`."""
    return torch.cat([video.flatten(1), audio.flatten(1)], 1)[:, None]


def unpack(x: Tensor) -> tuple[Tensor, Tensor]:
    """Both latents of a row."""
    video, audio = x[:, 0].split(SIZES, 1)
    return video.unflatten(1, VIDEO), audio.unflatten(1, AUDIO)


def drawn(labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Clips `(B, 3, 3, 32, 32)` in [-1, 1] of classes `labels` `(B,)`, and the levels `(B, 8, 2, 12)` of their
    sound."""
    clips, motion = moving(labels, generator, VIDEO[1])
    return avg_pool3d(clips, (1, 2, 2)), tones.levels(labels, motion, generator)


def encode(clips: Tensor, levels: Tensor) -> Tensor:
    """Latents `(B, 1, L)` of variance one, the audio not carried."""
    return pack(codec.encode(clips) / VIDEO_SCALE, tones.encode(levels))


def decode(sampled: Tensor) -> tuple[Tensor, Tensor]:
    """Clips and levels of a sampled row, whose audio is carried."""
    video, audio = unpack(sampled)
    return codec.decode(video * VIDEO_SCALE), tones.decode(audio / CARRIED)


if __name__ == "__main__":
    known = torch.arange(4096) % len(CLASSES)
    video, audio = unpack(encode(*drawn(known, torch.Generator().manual_seed(0))))
    print("VIDEO_SCALE =", round(VIDEO_SCALE * float(video.std()), 3), "  audio:", round(float(audio.std()), 3))

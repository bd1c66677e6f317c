"""How drift is repaired: a change to the guided output of every step."""

from .noise_scale import OFF, PAPER_TEXT, RELEASED_CODE, NoiseScale, scale_noise, staged_scale

__all__ = ["OFF", "PAPER_TEXT", "RELEASED_CODE", "NoiseScale", "scale_noise", "staged_scale"]

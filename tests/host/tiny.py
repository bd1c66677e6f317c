"""Tiny models of every family, of ComfyUI's own classes, and how each is sampled."""

import torch
from tiny_image import IMAGE_MODELS
from tiny_model import Tiny, noise
from tiny_sound_and_shape import SOUND_AND_SHAPE
from tiny_video import ANIMATE_2, VIDEO_MODELS

TINY = VIDEO_MODELS | IMAGE_MODELS | {name: Tiny(**given) for name, given in SOUND_AND_SHAPE.items()}


def latent(tiny: Tiny):
    """Noise to start from; two of them, nested, if there is sound."""
    pictures = noise((1, *tiny.shape), 1)
    if not tiny.sound:
        return pictures
    from comfy.nested_tensor import NestedTensor

    return NestedTensor((pictures, noise((1, *tiny.sound), 2)))


def sampled(tiny: Tiny, model, steps: int = 10, cfg: float = 3.0) -> torch.Tensor:
    """What the KSampler node does."""
    import comfy.samplers

    start = latent(tiny)
    positive, negative = tiny.prompts()
    worker = comfy.samplers.KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler="euler",
        scheduler="simple",
        denoise=1.0,
        model_options=model.model_options,
    )
    samples = worker.sample(start, positive, negative, cfg=cfg, latent_image=start * 0, disable_pbar=True, seed=1)
    return torch.cat([part.flatten() for part in samples.unbind()]) if tiny.sound else samples


__all__ = ["ANIMATE_2", "TINY", "Tiny", "latent", "noise", "sampled"]

"""The models of the matrix, and what the sampler nodes do with them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from comfy_models import conditioning, flux, unet
from test_hunyuan_video import hunyuan, text
from tiny import TINY, noise

STEPS = 9


@dataclass(frozen=True)
class Scene:
    """A tiny model, its prompts and its latent's shape. `outside`: attention kernels of one model call that are in
    no block of the host."""

    name: str
    model: object
    shape: tuple[int, ...]
    positive: list
    negative: list
    outside: int = 0

    @property
    def video(self) -> bool:
        return len(self.shape) == 4

    def sample(
        self,
        model,
        *,
        cfg=2.0,
        sampler="euler",
        seed=1,
        batch=1,
        shape=None,
        positive=None,
        negative=None,
        latent=None,
        mask=None,
        steps=STEPS,
        denoise=1.0,
        first=None,
        last=None,
        leftover=False,
        adds_noise=True,
        callback=None,
        sigmas=None,
    ) -> torch.Tensor:
        """What the KSampler and KSamplerAdvanced nodes do."""
        import comfy.samplers

        size = (batch, *(shape or self.shape))
        start = torch.zeros(size) if latent is None else latent
        worker = comfy.samplers.KSampler(
            model,
            steps=steps,
            device=model.load_device,
            sampler=sampler,
            scheduler="simple",
            denoise=denoise,
            model_options=model.model_options,
        )
        return worker.sample(
            noise(size, seed) if adds_noise else torch.zeros(size),
            positive or self.positive,
            negative or self.negative,
            cfg=cfg,
            latent_image=start,
            start_step=first,
            last_step=last,
            force_full_denoise=not leftover,
            denoise_mask=mask,
            sigmas=sigmas,
            callback=callback,
            disable_pbar=True,
            seed=seed,
        )

    def guided(self, guider, *, seed=1, steps=STEPS, sigmas=None, sampler="euler") -> torch.Tensor:
        """What SamplerCustomAdvanced does."""
        import comfy.samplers

        start = noise((1, *self.shape), seed)
        sampling = guider.model_patcher.get_model_object("model_sampling")
        sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", steps) if sigmas is None else sigmas
        return guider.sample(start, 0 * start, comfy.samplers.ksampler(sampler), sigmas, disable_pbar=True, seed=seed)


def _flux(dtype) -> Scene:
    return Scene("FLUX", flux(dtype=dtype, depth_single_blocks=2), (16, 8, 8), conditioning(1), conditioning(2))


def _hunyuan(dtype) -> Scene:
    model = hunyuan(dtype=dtype, depth_single_blocks=2)
    return Scene("HunyuanVideo", model, (16, 6, 4, 4), text(1), text(2), outside=2)  # the text refiner's


def _wan(dtype) -> Scene:
    tiny = replace(TINY["wan"], config=TINY["wan"].config | {"num_layers": 2})
    return Scene("Wan", tiny.build(dtype), (16, 6, 4, 4), *tiny.prompts())


def _sd3(dtype) -> Scene:
    return Scene("SD3", TINY["sd3"].build(dtype), (16, 8, 8), *TINY["sd3"].prompts())


def _unet(dtype) -> Scene:
    return Scene("U-Net", unet(dtype), (4, 8, 8), conditioning(1), conditioning(2))


FAMILIES: dict[str, Callable[[torch.dtype], Scene]] = {
    "FLUX": _flux,
    "HunyuanVideo": _hunyuan,
    "Wan": _wan,
    "SD3": _sd3,
    "U-Net": _unet,
}


@lru_cache(maxsize=2)
def scene(family: str, dtype: str = "float32") -> Scene:
    """The scene of a family, made once."""
    return FAMILIES[family](getattr(torch, dtype))

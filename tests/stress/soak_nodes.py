"""Tiny models of ComfyUI's own classes, and what came of a sampling, as nodes for the soak's ComfyUI."""

import gc
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))


def _flux() -> tuple:
    from comfy_models import conditioning, flux

    return flux(), conditioning(1), conditioning(2), (1, 16, 8, 8)


def _hunyuan_video() -> tuple:
    from test_hunyuan_video import hunyuan, text

    return hunyuan(), text(1), text(2), (1, 16, 3, 8, 8)


def _wan() -> tuple:
    from tiny import TINY

    return TINY["wan"].build(), *TINY["wan"].prompts(), (1, *TINY["wan"].shape)


FAMILIES = {"flux": _flux, "hunyuan_video": _hunyuan_video, "wan": _wan}


class SoakModel:
    """A model made anew, with two prompts and an empty latent for it."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL", "CONDITIONING", "CONDITIONING", "LATENT"), "make", "testing"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"family": (list(FAMILIES),)}}

    def make(self, family: str) -> tuple:
        import torch

        *made, shape = FAMILIES[family]()
        return *made, {"samples": torch.zeros(shape)}


class SoakDigest:
    """The samples' SHA-256, and the bytes that the process has in memory after collecting garbage."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "end", "testing", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"samples": ("LATENT",)}}

    def end(self, samples: dict) -> dict:
        import psutil

        latent = samples["samples"].contiguous()
        gc.collect()
        found = {
            "sha256": hashlib.sha256(latent.numpy().tobytes()).hexdigest(),
            "finite": bool(latent.isfinite().all()),
            "bytes": psutil.Process().memory_info().rss,
        }
        return {"ui": {name: (value,) for name, value in found.items()}}


NODE_CLASS_MAPPINGS = {"SoakModel": SoakModel, "SoakDigest": SoakDigest}

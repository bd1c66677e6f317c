"""A tiny FLUX of ComfyUI's own classes and its conditioning, as nodes for the browser tests' ComfyUI."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))


class TinyFlux:
    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL", "CONDITIONING"), "make", "testing"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {}}

    def make(self) -> tuple:
        from comfy_models import FLUX, comfy_model, conditioning

        return comfy_model("Flux", FLUX, "comfy.ldm.flux.model", "FluxParams"), conditioning(1)


class TinyEnd:
    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "end", "testing", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"samples": ("LATENT",)}}

    def end(self, samples: dict) -> dict:
        return {"ui": {"text": (str(float(samples["samples"].std())),)}}


NODE_CLASS_MAPPINGS = {"TinyFlux": TinyFlux, "TinyEnd": TinyEnd}

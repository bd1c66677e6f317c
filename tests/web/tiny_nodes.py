"""Tiny stand-ins for what the example workflows load, as nodes for the browser tests' ComfyUI: a FLUX and a
ControlNet of its own classes, and a VAE that resizes."""

import sys
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))


class Tiny:
    FUNCTION, CATEGORY = "make", "testing"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {}}


class TinyFlux(Tiny):
    RETURN_TYPES = ("MODEL", "CONDITIONING")

    def make(self) -> tuple:
        from comfy_models import conditioning, flux

        return flux(), conditioning(1)


class TinyControlNet(Tiny):
    RETURN_TYPES = ("CONTROL_NET",)

    def make(self) -> tuple:
        import comfy.latent_formats
        from comfy.controlnet import ControlNet
        from comfy.ldm.flux.controlnet import ControlNetFlux
        from comfy.ldm.flux.model import FluxParams
        from comfy.ops import disable_weight_init
        from comfy_models import FLUX, fill

        sizes = {field.name: FLUX[field.name] for field in fields(FluxParams) if field.name in FLUX}
        net = ControlNetFlux(latent_input=True, control_latent_channels=16, operations=disable_weight_init, **sizes)
        fill(net, seed=2)
        net.dtype, forward = net.controlnet_blocks[0].weight.dtype, net.forward

        def counted(*args, **kwargs):
            TinyEnd.controlled += 1
            return forward(*args, **kwargs)

        net.forward = counted
        return (
            ControlNet(
                net.eval(),
                compression_ratio=1,
                latent_format=comfy.latent_formats.Flux(),
                extra_conds=["y", "guidance"],
            ),
        )


class TinyVAE(Tiny):
    RETURN_TYPES = ("VAE",)

    def make(self) -> tuple:
        return (self,)

    def spacial_compression_encode(self) -> int:
        return 8

    def encode(self, pixels):
        import torch

        small = torch.nn.functional.avg_pool2d(pixels.movedim(-1, 1), 8)
        return small.repeat(1, 6, 1, 1)[:, :16]

    def decode(self, latent):
        return latent[:, :3].repeat_interleave(8, 2).repeat_interleave(8, 3).movedim(1, -1).sigmoid()


class TinySounds(Tiny):
    """A sound that rises, and the same with half of its low tones: as caches spoil it."""

    RETURN_TYPES = ("AUDIO", "AUDIO")

    def make(self) -> tuple:
        import torch

        rate, turns = 32000, 2 * torch.pi
        time = torch.arange(5 * rate) / rate
        tones = torch.stack([(turns * n * (200 + 40 * time) * time).sin() / (5 * n) for n in range(1, 20)])
        swell = 0.5 + 0.5 * (turns * 3 * time).sin()
        whole, thin = tones.sum(0) * swell, (tones[:3].sum(0) / 2 + tones[3:].sum(0)) * swell
        return tuple({"waveform": wave.expand(1, 2, -1), "sample_rate": rate} for wave in (whole, thin))


class TinyEnd:
    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "end", "testing", True
    controlled = 0  # runs of the ControlNet since the last TinyEnd

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"samples": ("LATENT",)}}

    def end(self, samples: dict) -> dict:
        runs, TinyEnd.controlled = TinyEnd.controlled, 0
        return {"ui": {"text": (str(float(samples["samples"].std())),), "controlled": (runs,)}}


class TextEncodeQwenImage21(Tiny):
    """Sockets and widgets of the node of this name that ComfyUI has since Qwen-Image 2.1; it never runs here."""

    RETURN_TYPES, RETURN_NAMES = ("CONDITIONING", "CONDITIONING", "LATENT"), ("positive", "negative", "latent")

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        text = ("STRING", {"multiline": True})
        numbers = {"resolution": ("INT", {"default": 1024, "min": 0, "max": 4096})}
        required = {"clip": ("CLIP",), "prompt": text, "negative_prompt": text, **numbers}
        return {"required": required, "optional": {"images.image_1": ("IMAGE",), "vae": ("VAE",)}}


class QwenImage21Cache(Tiny):
    """Sockets and widgets of the node of this name, too."""

    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return {"required": {"model": ("MODEL",), "device": (["auto", "off"],), "dtype": (["default"],)}}


# ComfyUI passes over those that it has itself
NODES = (TinyFlux, TinyControlNet, TinyVAE, TinySounds, TinyEnd, TextEncodeQwenImage21, QwenImage21Cache)
NODE_CLASS_MAPPINGS = {cls.__name__: cls for cls in NODES}

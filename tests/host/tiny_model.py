"""A tiny model of a family, of ComfyUI's own classes."""

from dataclasses import dataclass, field

import pytest
import torch
from comfy_models import comfy_model_from, conditioning

MASK = {"attention_mask": (1, 8)}
VIDEO = (16, 3, 8, 8)
FRAME = (16, 1, 8, 8)


@dataclass(frozen=True)
class Tiny:
    """`kind`: class in comfy.supported_models. `config`: arguments of the diffusion model. `shape`: one latent's,
    without the batch."""

    kind: str
    host: str
    config: dict
    shape: tuple[int, ...] = (16, 8, 8)
    width: int = 64
    vector: int = 32
    extra: dict = field(default_factory=dict)
    sound: tuple[int, ...] = ()  # a second latent's shape

    def build(self, dtype=torch.float32):
        import comfy.supported_models

        if not hasattr(comfy.supported_models, self.kind):
            pytest.skip(f"this ComfyUI has no {self.kind}")
        model = comfy_model_from(self.kind, self.config, dtype)
        positions = getattr(model.model.diffusion_model, "pos_embed", None)
        if positions is not None:  # a buffer, which ComfyUI leaves uninitialised
            positions.copy_(0.02 * noise(positions.shape, 0))
        return model

    def prompts(self) -> tuple[list, list]:
        found = tuple(conditioning(seed, width=self.width, vector=self.vector) for seed in (1, 2))
        for seed, prompt in enumerate(found):
            prompt[0][1].pop("guidance")
            given = {
                name: torch.ones(shape, dtype=torch.long) if "mask" in name else noise(shape, seed)
                for name, shape in self.extra.items()
            }
            prompt[0][1].update(given)
        return found


def noise(shape, seed: int) -> torch.Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))

"""A tiny model of a family, of ComfyUI's own classes."""

import pkgutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from unittest import mock

import pytest
import torch
from comfy_models import comfy_model_from, conditioning

UNSET = {"pos_embed", "rope.inv_freq"}  # buffers that ComfyUI leaves uninitialised
MASK = {"attention_mask": (1, 8)}
VIDEO = (16, 3, 8, 8)
FRAME = (16, 1, 8, 8)


@dataclass(frozen=True)
class Tiny:
    """`kind`: class in comfy.supported_models. `config`: arguments of the diffusion model. `shape`: one latent's,
    without the batch. `extra`: further conditionings, by shape, or made from a seed. `weights`, `change`: as of
    `comfy_model_from`. `context`: makes a text of another shape from a seed."""

    kind: str
    host: str
    config: dict
    shape: tuple[int, ...] = (16, 8, 8)
    width: int = 64
    vector: int = 32
    extra: dict = field(default_factory=dict)
    given: dict = field(default_factory=dict)  # what else is in it
    smaller: dict = field(default_factory=dict)  # arguments, by the class, that no configuration tells
    sound: tuple[int, ...] = ()  # a second latent's shape
    weights: Callable[[], dict] = dict
    change: Callable | None = None
    takes: tuple[str, ...] = ()  # a class, and an argument of it that older releases lack
    context: Callable | None = None

    def build(self, dtype=torch.float32):
        import comfy.supported_models

        if not hasattr(comfy.supported_models, self.kind):
            pytest.skip(f"this ComfyUI has no {self.kind}")
        if self.takes and self.takes[1] not in signature(pkgutil.resolve_name(self.takes[0])).parameters:
            pytest.skip(f"this ComfyUI has no {' of '.join(reversed(self.takes))}")
        with ExitStack() as stack:
            for path, sizes in self.smaller.items():
                whole = pkgutil.resolve_name(path)
                small = {**whole, **sizes} if isinstance(whole, dict) else partial(whole, **sizes)
                stack.enter_context(mock.patch(path, small))
            model = comfy_model_from(self.kind, self.config, dtype, self.weights, self.change)
        for name, buffer in model.model.diffusion_model.named_buffers():
            if name in UNSET:
                buffer.copy_(0.02 * noise(buffer.shape, 0))
        return model

    def prompts(self) -> tuple[list, list]:
        found = tuple(conditioning(seed, width=self.width, vector=self.vector) for seed in (1, 2))
        for seed, prompt in enumerate(found):
            prompt[0][1].pop("guidance")
            if self.context:
                prompt[0][0] = self.context(seed)
            made = {name: self._made(name, shape, seed) for name, shape in self.extra.items()}
            prompt[0][1].update(made | self.given)
        return found

    def _made(self, name: str, shape, seed: int):
        if callable(shape):
            return shape(seed)
        return torch.ones(shape, dtype=torch.long) if "mask" in name else noise(shape, seed)


def noise(shape, seed: int) -> torch.Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))

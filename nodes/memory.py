"""How much memory a run may use, and telling ComfyUI what it will."""

from __future__ import annotations

import math
from dataclasses import replace

from ..cache_core import Run
from ..cache_core.hosts import match
from ..cache_core.mount import footprint, tokens
from ..cache_core.site import MODULES
from ..cache_core.store import Budget, Footprint

GIGABYTE = 2**30
MARGIN = 0.9  # share of the free memory that is used: allocators round, and other programs allocate
RESERVED = 0.25  # share of the device's memory, at most, that an automatic budget takes from the model's weights


def foresee(run: Run, base_model, rows: int, noise_shape, text: int) -> Footprint:
    """What the run will keep for `rows` rows of latents of `noise_shape` and `text` tokens of text."""
    model, samples = base_model.diffusion_model, max(plan.predictor.order for plan in run.plans if plan.kinds & MODULES)
    cells = math.prod(noise_shape[2:])
    if noise_shape[1] == 1:  # latents of several kinds, packed in a row
        cells //= base_model.latent_format.latent_channels
    values = rows * (tokens(model, cells) + text) * samples
    dtype = base_model.manual_cast_dtype or base_model.get_dtype()
    return footprint(model, match(model), run.table, values, dtype.itemsize)


def budget(gigabytes: float, base_model, x) -> Budget:
    """What may be kept when `base_model` runs on `x`: `gigabytes`, or with 0 what is free now beside what the model needs to run."""
    from comfy import model_management

    room = Budget(gigabytes * GIGABYTE, _host_room(x.device))
    if gigabytes:
        return room
    free = model_management.get_free_memory(x.device) - base_model.memory_required(list(x.shape))
    return replace(room, device=max(0.0, MARGIN * free))


def _host_room(device) -> float:
    """Bytes of host memory that may be pinned: half of what is free; none where the device computes in host memory."""
    import torch
    from comfy import model_management

    return model_management.get_free_memory(torch.device("cpu")) / 2 if device.type == "cuda" else 0.0


def enlarged(noise_shape, base_model, run: Run, foreseen: Footprint, gigabytes: float, device) -> list[int]:
    """`noise_shape` with so many more rows that ComfyUI, which makes room for it, makes room for the cache as well."""
    from comfy import model_management

    most = gigabytes * GIGABYTE or RESERVED * model_management.get_total_memory(device)
    allowed = Budget(most, _host_room(device))
    kept = next((foreseen.needs(rung).device for rung in run.store.ladder if foreseen.fits(rung, allowed)), 0)
    needed = base_model.memory_required(list(noise_shape))
    return [math.ceil(noise_shape[0] * (1 + kept / needed)), *noise_shape[1:]]

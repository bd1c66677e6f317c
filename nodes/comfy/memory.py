"""How much memory a run may use, and telling ComfyUI what it will."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ...cache_core import Run
from ...cache_core.hosts import match
from ...cache_core.mount import footprint, joins, padded, tokens
from ...cache_core.site import MODULES, Kind
from ...cache_core.store import Budget, Footprint

GIGABYTE = 2**30
MARGIN = 0.9  # share of the free memory that is used: allocators round, and other programs allocate
RESERVED = 0.25  # share of the device's memory, at most, that an automatic budget takes from the model's weights
ROUNDING = 1.05  # what is asked for, relative to what is foreseen: the forecast is an estimate, and allocators round
TEXTS = {
    "cross_attn": 1,
    "conditioning_byt5small": 1,
    "conditioning_llama3": 2,
}  # of a conditioning, and how often their tokens join the text's
SHORTEST = {"Flux2": 512}  # tokens, by the class of ComfyUI's model: what it fills shorter texts up to
GUEST = "feb_ab_cache"


@dataclass(frozen=True)
class Forecast:
    """What a run will keep. `fraction_seen`: what its first evaluation computes, relative to that. `shapes`: those of
    what the conditionings bring, as ComfyUI's own estimate takes them."""

    footprint: Footprint
    fraction_seen: float
    shapes: dict[str, list]


def foresee(run: Run, base_model, noise_shape, conds: list[dict]) -> Forecast:
    """What the run will keep of these conditionings, each evaluated on latents of `noise_shape`."""
    at = {step for kind in MODULES for step in run.agenda.kept_steps(kind)}
    kept, first = (
        _footprint(run, base_model, noise_shape, [cond for cond in conds if _active(run, cond, steps)])
        for steps in (at, {0})
    )
    shapes: dict[str, list] = {}
    for name, shape in (found for cond in conds for found in base_model.extra_conds_shapes(**cond).items()):
        shapes.setdefault(name, []).append(shape)
    return Forecast(kept, first.whole / kept.whole if kept.whole and first.whole else 1.0, shapes)


def _active(run: Run, cond: dict, steps: set[int]) -> bool:
    """Whether a conditioning is evaluated at one of these steps."""
    return any(
        run.timeline.inside(step, cond.get("start_percent", 0.0), cond.get("end_percent", 1.0)) for step in steps
    )


def _footprint(run: Run, base_model, noise_shape, conds: list[dict]) -> Footprint:
    """What the run will keep of conditionings that are all evaluated where it keeps something."""
    model = base_model.diffusion_model
    host, samples = match(model), run.agenda.samples(Kind.BLOCKS)
    cells = math.prod(noise_shape[2:])
    if noise_shape[1] == 1:  # latents of several kinds, packed in a row
        cells //= base_model.latent_format.latent_channels
    references = sum(
        tokens(model, math.prod(x.shape[2:])) for cond in conds for x in cond.get("reference_latents") or ()
    )
    text = sum(padded(model, _text(base_model, cond)) for cond in conds) if joins(host) else 0
    picture = len(conds) * padded(model, tokens(model, cells)) + references
    dtype = base_model.manual_cast_dtype or base_model.get_dtype()
    kept = noise_shape[0] * samples
    return footprint(model, host, run.table, kept * picture, kept * text, dtype.itemsize)


def _text(base_model, cond: dict) -> int:
    """Tokens of a conditioning's text, and those that the model itself knows."""
    given = sum(times * cond[name].shape[-2] for name, times in TEXTS.items() if cond.get(name) is not None)
    own = getattr(base_model.diffusion_model, "register_tokens", None)
    return max(given, SHORTEST.get(type(base_model).__name__, 0)) + (0 if own is None else own.shape[1])


def budget(gigabytes: float, base_model, x, shapes: dict[str, list]) -> Budget:
    """What may be kept when `base_model` runs on `x` and conditionings of these `shapes`: `gigabytes`, or with 0
    what is free now beside what the model needs to run."""
    from comfy import model_management

    room = Budget(gigabytes * GIGABYTE, _host_room(x.device))
    if gigabytes:
        return room
    free = model_management.get_free_memory(x.device) - base_model.memory_required(list(x.shape), cond_shapes=shapes)
    return replace(room, device=max(0.0, MARGIN * free))


def _host_room(device) -> float:
    """Bytes of host memory that may be pinned: half of what is free; none where the device computes in host memory."""
    import torch
    from comfy import model_management

    return model_management.get_free_memory(torch.device("cpu")) / 2 if device.type == "cuda" else 0.0


def asked(run: Run, foreseen: Footprint, gigabytes: float, device) -> float:
    """Bytes on the device that ComfyUI is asked to leave free of weights for the cache."""
    from comfy import model_management

    most = gigabytes * GIGABYTE or RESERVED * model_management.get_total_memory(device)
    allowed = Budget(most, _host_room(device))
    return ROUNDING * next(
        (foreseen.needs(rung).device for rung in run.store.ladder if allowed.holds(foreseen.needs(rung))), 0
    )


def with_guest(conds: dict, count: float) -> dict:
    """ComfyUI's conditionings and one more, of no picture and for this one question only, whose ControlNet has no
    model and needs `count` bytes.

    ComfyUI adds what ControlNets need to what the model needs. Larger latents would be asked for twice: it doubles
    them.
    """
    from comfy.controlnet import ControlBase

    class Guest(ControlBase):
        def inference_memory_requirements(self, dtype) -> float:
            return count

        def deepclone_multigpu(self, load_device, autoregister: bool = False) -> Guest:
            return self  # nothing of it is on a device

    return {**conds, GUEST: [{"control": Guest()}]} if count else conds


def without_guest(conds: dict) -> dict:
    """The conditionings alone."""
    return {name: found for name, found in conds.items() if name != GUEST}

"""Memory that a run may use, and the request for it to ComfyUI."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ...cache_core import Run
from ...cache_core.hosts import merging
from ...cache_core.mount import footprint, joins, padded, tokens
from ...cache_core.site import MODULES, Kind
from ...cache_core.store import Budget, Footprint
from . import KEY

GIGABYTE = 2**30
MARGIN = 0.9  # share of the free memory for the cache: allocators round, and other programs allocate
RESERVED = 0.25  # largest share of the device's memory that an automatic budget takes from the model's weights
ROUNDING = 1.05  # bytes asked for, relative to the forecast: that is an estimate, and allocators round
# texts of a conditioning, and how often the tokens of each join the model's
TEXTS = {"cross_attn": 1, "conditioning_byt5small": 1, "conditioning_llama3": 2}
SHORTEST = {"Flux2": 512}  # tokens, by the class of ComfyUI's model, up to which it fills shorter texts


@dataclass(frozen=True)
class Forecast:
    """Values that a run will keep: `footprint`. `fraction_seen`: the fraction of them from its first evaluation.
    `shapes`: of the tensors in the conditionings, by name, as ComfyUI's own estimate takes them."""

    footprint: Footprint
    fraction_seen: float
    shapes: dict[str, list]


def foresee(run: Run, base_model, noise_shape, conds: list[dict]) -> Forecast:
    """The forecast for these conditionings, each evaluated on latents of `noise_shape` `(batch, channels, ...)`."""
    at = {step for kind in MODULES for step in run.agenda.kept_steps(kind)}
    kept, first = (
        _footprint(run, base_model, noise_shape, [cond for cond in conds if _active(run, cond, steps)])
        for steps in (at, {0})
    )
    shapes: dict[str, list] = {}
    for name, shape in (pair for cond in conds for pair in base_model.extra_conds_shapes(**cond).items()):
        shapes.setdefault(name, []).append(shape)
    return Forecast(kept, first.whole / kept.whole if kept.whole and first.whole else 1.0, shapes)


def _active(run: Run, cond: dict, steps: set[int]) -> bool:
    """True if a conditioning is evaluated at one of these steps."""
    start, end = cond.get("start_percent", 0.0), cond.get("end_percent", 1.0)
    return any(run.timeline.inside(step, start, end) for step in steps)


def _footprint(run: Run, base_model, noise_shape, conds: list[dict]) -> Footprint:
    """Bytes that the run will keep of conditionings that are evaluated at all steps where it keeps something."""
    model = base_model.diffusion_model
    host, samples = merging(model), run.agenda.samples(Kind.BLOCKS)
    cells = math.prod(noise_shape[2:])
    if noise_shape[1] == 1:  # latents of several kinds, packed in a row
        cells //= base_model.latent_format.latent_channels
    latents = (latent for cond in conds for name in host.joined for latent in _latents(cond.get(name)))
    references = sum(tokens(model, host, math.prod(latent.shape[2:])) for latent in latents)
    text = sum(padded(model, _text(base_model, cond)) for cond in conds) if joins(host) else 0
    picture = len(conds) * padded(model, tokens(model, host, cells)) + references
    dtype = base_model.manual_cast_dtype or base_model.get_dtype()
    kept = noise_shape[0] * samples
    return footprint(model, host, run.table, kept * picture, kept * text, dtype.itemsize, run.agenda.ranges)


def _latents(given) -> list:
    """The latents in a conditioning's value: one, several, or the `latent` of each of several references."""
    items = [] if given is None else given if isinstance(given, list | tuple) else [given]
    latents = [item.get("latent") if isinstance(item, dict) else item for item in items]
    return [latent for latent in latents if latent is not None]


def _text(base_model, cond: dict) -> int:
    """Tokens of a conditioning's text, with the registers of the model."""
    given = sum(times * cond[name].shape[-2] for name, times in TEXTS.items() if cond.get(name) is not None)
    own = getattr(base_model.diffusion_model, "register_tokens", None)
    return max(given, SHORTEST.get(type(base_model).__name__, 0)) + (0 if own is None else own.shape[1])


def budget(gigabytes: float, base_model, x, shapes: dict[str, list]) -> Budget:
    """Bytes for kept values while `base_model` runs on `x` and conditionings of these `shapes`: `gigabytes`, or, for 0,
    the memory that is free now, less the model's need."""
    from comfy import model_management

    room = Budget(gigabytes * GIGABYTE, _host_room(x.device))
    if gigabytes:
        return room
    free = model_management.get_free_memory(x.device) - base_model.memory_required(list(x.shape), cond_shapes=shapes)
    return replace(room, device=max(0.0, MARGIN * free))


def _host_room(device) -> float:
    """Bytes of host memory that may be pinned: half of the free ones; none where the device computes in host memory."""
    import torch
    from comfy import model_management

    return model_management.get_free_memory(torch.device("cpu")) / 2 if device.type == "cuda" else 0.0


def asked(run: Run, foreseen: Footprint, gigabytes: float, device) -> float:
    """Bytes on the device that ComfyUI is asked to leave free of weights for the cache."""
    from comfy import model_management

    most = gigabytes * GIGABYTE or RESERVED * model_management.get_total_memory(device)
    allowed = Budget(most, _host_room(device))
    needs = (foreseen.needs(rung) for rung in run.store.ladder)
    return ROUNDING * next((need.device for need in needs if allowed.holds(need)), 0)


def with_guest(conds: dict, count: float) -> dict:
    """ComfyUI's conditionings and one more, for its estimate of memory only, with a ControlNet that has no model and
    needs `count` bytes. ComfyUI adds ControlNets to the model's need; larger latents it would double."""
    from comfy.controlnet import ControlBase

    class Guest(ControlBase):
        def inference_memory_requirements(self, dtype) -> float:
            return count

        def deepclone_multigpu(self, load_device, autoregister: bool = False) -> Guest:
            return self  # it has nothing on a device

    return {**conds, KEY: [{"control": Guest()}]} if count else conds


def without_guest(conds: dict) -> dict:
    """The conditionings without the one of `with_guest`."""
    return {name: own for name, own in conds.items() if name != KEY}

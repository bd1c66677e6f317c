"""Changes of a model's time embedding over a sampling, before it begins: only its time layers run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...cache_core.run.readings import distance
from ...cache_core.settings import Settings
from ...cache_core.settings.method import MethodSettings

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger("feb_ab_cache")
PROJECTED = "projected"  # the embedding as blocks get it, where a model has layers in between


def timed(settings: tuple[Settings, ...], patcher, sigmas) -> tuple[Settings, ...]:
    """The settings, those of methods that go by the time embedding with its changes over `sigmas` `(N + 1,)`."""
    return tuple(
        replace(s, time_changes=changes(patcher, sigmas, s.of.time))
        if isinstance(s, MethodSettings) and s.of.time
        else s
        for s in settings
    )


def changes(patcher, sigmas, what: str = "") -> tuple[float, ...]:
    """Relative L1 change `(N,)` of the time embedding at each step, 0 at step 0, in float32; empty for a model whose
    time layers are not known. LoRAs on them are left out: the model is not loaded yet."""
    import torch

    sampling, module = patcher.get_model_object("model_sampling"), patcher.get_model_object("diffusion_model")
    embed = _embedding(module, what)
    if embed is None:
        return ()
    times = sampling.timestep(sigmas[:-1].to(sampling.sigmas.device)).float()
    weight = next(embed.layers.parameters())
    dtype = weight.dtype if weight.dtype in (torch.float32, torch.bfloat16, torch.float16) else torch.float32
    try:
        with torch.inference_mode():
            found = embed(times.to(weight.device), dtype)
    except RuntimeError as error:  # of weights in a form that these layers cannot run in where they are
        log.warning("The time embedding of %s could not be computed (%s).", type(module).__name__, error)
        return ()
    return (0.0, *(distance(now, before) for before, now in zip(found, found[1:], strict=False)))


class _Embedding:
    """The time layers of a model, and how it calls them with times `(N,)`: `(N, C)`."""

    def __init__(self, layers: Any, call: Callable[[Tensor, Any], Tensor]):
        self.layers, self._call = layers, call

    def __call__(self, times: Tensor, dtype) -> Tensor:
        return self._call(times, dtype)


def _embedding(module, what: str) -> _Embedding | None:
    """The time layers of Wan, HiDream or HunyuanVideo; None for other models."""
    if hasattr(module, "time_embedding") and hasattr(module, "freq_dim"):
        return _Embedding(module.time_embedding, lambda times, dtype: _wan(module, times, dtype, what == PROJECTED))
    if hasattr(module, "t_embedder") and hasattr(module, "expand_timesteps"):
        return _Embedding(module.t_embedder, module.t_embedder)
    if hasattr(module, "time_in") and hasattr(getattr(module, "txt_in", None), "individual_token_refiner"):
        return _Embedding(module.time_in, lambda times, dtype: _hunyuan(module, times, dtype))
    return None


def _wan(module, times, dtype, projected: bool) -> Tensor:
    from comfy.ldm.wan.model import sinusoidal_embedding_1d

    found = module.time_embedding(sinusoidal_embedding_1d(module.freq_dim, times).to(dtype))
    return module.time_projection(found) if projected else found


def _hunyuan(module, times, dtype) -> Tensor:
    from comfy.ldm.flux.layers import timestep_embedding

    return module.time_in(timestep_embedding(times, 256, time_factor=1.0).to(dtype))

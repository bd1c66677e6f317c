"""All that is known of a sampling before it begins: its sigmas, its sampler's response, and its guidance."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import SimpleNamespace

from ...cache_core import Timeline
from ...cache_core.calibrate import probed
from ...cache_core.modality import modalities_of
from ...cache_core.response import Response
from . import sampling

log = logging.getLogger("feb_ab_cache")


def timeline_of(patcher, sampler, sigmas, cfg: float, shapes=()) -> Timeline:
    """The timeline of a sampling with guidance `cfg`, 1 = none, of latents of these `shapes`. It can be foreseen where
    the sampler's response is known."""
    model_sampling = patcher.get_model_object("model_sampling")
    plain = sampling.timeline(model_sampling, sigmas, sampling.sampler_name(sampler))
    noisy = sampling.noisy_name(sampling.sampler_name(sampler))
    response = None if noisy or plain.rises else response_of(patcher, sampler, sigmas, plain)
    slopes, modalities = plain.slopes and response is not None, modalities_of(shapes)
    return replace(plain, response=response, guidance=cfg, slopes=slopes, modalities=modalities)


def cfg_of(guider) -> float:
    """Scale of the classifier-free guidance of a guider; 1 where it has none, or none that is known."""
    cfg = getattr(guider, "cfg", 1.0)
    return float(cfg) if isinstance(cfg, int | float) and guider.conds.get("negative") else 1.0


def response_of(patcher, sampler, sigmas, timeline: Timeline) -> Response | None:
    """The response of a ComfyUI sampler, by a sampling of unit outputs; None where it cannot be read."""
    import torch

    function = getattr(sampler, "sampler_function", None)
    if function is None:
        return None
    model_sampling = patcher.get_model_object("model_sampling")

    def solve(output, state):
        def model(x, sigma, **_):
            return model_sampling.calculate_denoised(sigma, output(x, float(sigma.max())), x)

        # the objects at which samplers look for the model's sampling
        inner = SimpleNamespace(model_sampling=model_sampling)
        model.inner_model = SimpleNamespace(inner_model=inner, model_patcher=patcher, model_sampling=model_sampling)
        at = sigmas.detach().to("cpu", state.dtype, copy=True)  # some samplers write into theirs
        given = getattr(sampler, "extra_options", {})
        return function(model, state, at, extra_args={}, callback=None, disable=True, **given)

    for dtype in (torch.float64, torch.float32):  # uni_pc takes the second one only
        try:
            with torch.random.fork_rng([]):  # a sampler may draw noise that it does not use
                return probed(solve, timeline, dtype)
        except Exception as error:  # of samplers that want more of a model
            log.debug("The response of %s is not known: %s", sampling.sampler_name(sampler), error)
    return None

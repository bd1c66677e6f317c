"""ComfyUI's samplers and model samplings, in the engine's terms."""

from ...cache_core import Run, Timeline

# in names of samplers that have added noise wherever they were watched
NOISY = ("ancestral", "sde", "ddpm", "lcm", "sa_solver", "seeds")
# in names of samplers that use the unguided output as well, or ask the model between two steps
UNFORESEEN = ("cfg_pp", "dpm_2", "dpm_fast", "dpm_adaptive", "exp_heun")


def timeline(model_sampling, sigmas, sampler: str = "") -> Timeline:
    """The timeline of a sampling by the sampler of this name. Sigmas are copied: some samplers write into theirs.

    Model time is the time the model is given, relative to the one at pure noise: sigma itself for flow models.
    """
    values = tuple(float(s) for s in sigmas.detach().cpu().tolist())
    top = float(model_sampling.timestep(model_sampling.sigma_max))
    times = model_sampling.timestep(sigmas[:-1].to(model_sampling.sigmas.device)).float() / top

    def sigma_at(percent: float) -> float:
        return float(model_sampling.percent_to_sigma(percent))

    signal = tuple(alpha(model_sampling, sigma) for sigma in values[:-1])
    slopes = all(abs(moved - 1) < 1e-3 for moved in displacement(model_sampling, values))
    known = not noisy_name(sampler) and not any(word in sampler for word in UNFORESEEN)
    return Timeline(values, tuple(times.clamp(0, 1).tolist()), sigma_at, signal, slopes and known)


def sampler_name(sampler) -> str:
    """The name of a ComfyUI sampler object's function, `sample_` left out."""
    function = getattr(sampler, "sampler_function", None)
    return getattr(function, "__name__", type(sampler).__name__).removeprefix("sample_")


def function_of(sampler: str) -> str:
    """The name that `sampler_name` will have for the sampler of this name in a menu: one function serves several."""
    from comfy import samplers

    return sampler_name(samplers.sampler_object(sampler)) if sampler in samplers.SAMPLER_NAMES else sampler


def noisy_name(sampler: str) -> bool:
    """True if a sampler of this name can be expected to add noise: a guess, to spare a lesson. A run goes by the states
    that it sees (SamplerTrace)."""
    return any(word in sampler for word in NOISY)


def mask_of(noise, mask):
    """The inpainting mask of a sampling, shaped like its latent; None without one. Older ComfyUI brings it into that
    shape later."""
    from comfy.sampler_helpers import prepare_mask

    return mask if mask is None or mask.shape == noise.shape else prepare_mask(mask, noise.shape, noise.device)


def hooks_of(model_options: dict) -> frozenset:
    """Functions that get the guided output of each evaluation, with the unguided outputs it was made of."""
    return frozenset(model_options.get("sampler_post_cfg_function", ()))


def raw_output(model_sampling, sigma, x, denoised):
    """The model's raw output (velocity or noise) that `denoised` came from, `(batch, ...)` in float32.

    Every model sampling is affine, denoised = a x + b out, so out = (denoised - a x) / b; a and b are its answers to
    0 and 1.
    """
    import torch

    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    zero, one = (torch.full(shape, v, dtype=torch.float32, device=x.device) for v in (0.0, 1.0))
    a = model_sampling.calculate_denoised(sigma, zero, one)
    b = model_sampling.calculate_denoised(sigma, one, zero)
    return (denoised.float() - a * x.float()) / b


def raw_difference(model_sampling, sigma, denoised, other):
    """Raw output behind `denoised` minus that behind `other`, of one state: `(denoised - other) / b`, in float32."""
    import torch

    one = torch.ones((len(denoised),) + (1,) * (denoised.ndim - 1), dtype=torch.float32, device=denoised.device)
    return (denoised.float() - other.float()) / model_sampling.calculate_denoised(sigma, one, torch.zeros_like(one))


def displaced(model_sampling, sigma, denoised, difference):
    """The denoised output whose raw one is that of `denoised` plus `difference`, in the number type of `denoised`."""
    import torch

    return (denoised + model_sampling.calculate_denoised(sigma, difference, torch.zeros_like(difference))).to(
        denoised.dtype
    )


def displacement(model_sampling, sigmas) -> tuple[float, ...]:
    """Change of the state for a unit of raw output and of sigma, in a first-order step, at each of `sigmas` but the
    last: -b / sigma, with denoised = a x + b out. 1 for flow models, and for models that predict noise."""
    import torch

    zero, one = (torch.full((1, 1, 1, 1), v, dtype=torch.float64) for v in (0.0, 1.0))

    def b(sigma: float) -> float:
        return float(model_sampling.calculate_denoised(torch.full((1,), sigma, dtype=torch.float64), one, zero))

    return tuple(b(sigma) / -sigma for sigma in sigmas[:-1])


def alpha(model_sampling, sigma: float) -> float:
    """Share of the clean latent in the state at `sigma`: 1 - sigma for flow models, 1 where noise is only added, 0 (no
    scaling) for models that return the clean latent itself."""
    from comfy import model_sampling as kinds

    if isinstance(model_sampling, kinds.X0):
        return 0.0
    return 1.0 - sigma if isinstance(model_sampling, kinds.CONST) else 1.0


def is_compiled(patcher) -> bool:
    """True if torch.compile is on the model or on parts of it: by ComfyUI's node, which compiles when sampling, or by
    modules put in place."""
    from comfy.patcher_extension import WrappersMP

    if "torch_compile_kwargs" in patcher.model_options or patcher.get_wrappers(WrappersMP.APPLY_MODEL, "torch.compile"):
        return True
    return any(hasattr(module, "_orig_mod") for module in patcher.get_model_object("diffusion_model").modules())


def synchronise(run: Run) -> None:
    """Wait for every device that keeps something, so that the last evaluation's time is its own."""
    import torch

    for device in {tensor.device for tensor in run.store.tensors() if tensor.is_cuda}:
        torch.cuda.synchronize(device)

"""The bench of a calibration in ComfyUI: a model, a prompt, a sampler and its sigmas."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...cache_core import ConfigError, Plan
from ...cache_core.calibrate import Watch
from ...cache_core.plan import MIN_STEPS
from ...cache_core.saved_plan.saved_plan import Origin
from . import attach, plan_folder, sampling
from .foresight import timeline_of
from .guidance import guidance
from .weights import digest, fingerprint


class ComfyBench:
    """A `cache_core.calibrate.Bench`. Sample `number` is that of SamplerCustom with the seed `seed` + number, from the
    first latent.

    A cache of this pack that is on `model` is left out. Raises ConfigError for another pack's cache, for a sampler
    that adds noise, and for too few steps.
    """

    def __init__(self, model, positive, negative, cfg: float, latent: dict, sampler, sigmas, seed: int):
        import comfy.sample

        name = sampling.sampler_name(sampler)
        if sampling.noisy_name(name):
            raise ConfigError(
                f"sampler is {name}, which adds new noise at each step. Set it to one that does not, such as euler."
            )
        if len(sigmas) <= MIN_STEPS:
            raise ConfigError(f"sigmas has {len(sigmas) - 1} steps; calibration needs {MIN_STEPS} at least.")
        self.model, self.positive, self.negative, self.cfg = model, positive, negative, cfg
        self.sampler, self.sigmas, self.seed = sampler, sigmas, seed
        self.latent = comfy.sample.fix_empty_latent_channels(model, latent["samples"])[:1]
        mask = latent.get("noise_mask")
        self.mask = mask if mask is None else mask[:1]
        self.parts = self.latent.unbind() if getattr(self.latent, "is_nested", False) else [self.latent]
        self.timeline = timeline_of(model, sampler, sigmas, cfg, [part.shape for part in self.parts])

    def sample(self, number: int, plans: tuple[Plan, ...] = (), watch: Watch | None = None):
        """The final latent of sample `number` (see calibrate.Bench); `(1, 1, L)`, packed, where it holds several."""
        return self.sampled(attach.watched(self.model, plans, watch), number, self.sampler, self.sigmas)

    def sampled(self, model, number: int, sampler, sigmas):
        """The final latent of sample `number` by `model`, with another sampler or other sigmas."""
        import comfy.sample
        import comfy.utils
        from comfy.model_management import throw_exception_if_processing_interrupted

        seed = (self.seed + number) % 2**64
        noise = comfy.sample.prepare_noise(self.latent, seed)
        final = comfy.sample.sample_custom(
            model,
            noise,
            self.cfg,
            sampler,
            sigmas.clone(),
            self.positive,
            self.negative,
            self.latent,
            noise_mask=self.mask,
            callback=lambda *_: throw_exception_if_processing_interrupted(),
            disable_pbar=True,
            seed=seed,
        )
        return comfy.utils.pack_latents(final.unbind())[0] if getattr(final, "is_nested", False) else final

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds of the device's work: those of this process where that is the CPU, whatever else runs there."""
        return time.process_time if self.model.load_device.type == "cpu" else time.perf_counter

    def _guidance(self) -> str:
        """The name of the guidance of the samples, as a sampling with them has it."""
        from comfy.samplers import CFGGuider

        guider = CFGGuider(self.model)
        guider.set_conds(self.positive, self.negative)
        guider.set_cfg(self.cfg)
        guider.conds = guider.original_conds
        return guidance(guider, self.sampler, self.mask is not None)

    def origin(self) -> Origin:
        """The origin of a plan that is made here."""
        return Origin(
            type(self.model.model.diffusion_model).__name__,
            fingerprint(self.model),
            sampling.sampler_name(self.sampler),
            plan_folder.cells_of(self.latent.shape),
            guidance=self._guidance(),
        )

    def key(self, *asked: object) -> str:
        """A name for all that a calibration depends on, `asked` among it."""
        return digest(
            (
                vars(self.origin()),
                list(self.timeline.sigmas),
                self.positive,
                self.negative,
                self.cfg,
                self.latent,
                self.mask,
                self.seed,
                asked,
            )
        )[:16]

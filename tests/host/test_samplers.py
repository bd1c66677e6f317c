"""Samplers under names that say nothing: what they need is told by what they do."""

import pytest
import torch
from comfy_models import conditioning, flux
from test_learning import UNCONDITIONAL, comfyui_model, ksample, prompt

from lab.families import FLUX

STEPS = 20
QUIET = (
    "euler",
    "euler_cfg_pp",
    "heun",
    "dpm_2",
    "lms",
    "dpmpp_2m",
    "dpmpp_2m_cfg_pp",
    "ddim",
    "uni_pc",
    "uni_pc_bh2",
    "ipndm",
    "ipndm_v",
    "deis",
    "res_multistep",
    "res_multistep_cfg_pp",
    "gradient_estimation",
    "gradient_estimation_cfg_pp",
    "heunpp2",
    "exp_heun_2_x0",
)
NOISY = (
    "euler_ancestral",
    "euler_ancestral_cfg_pp",
    "dpm_2_ancestral",
    "dpmpp_2s_ancestral",
    "dpmpp_sde",
    "dpmpp_2m_sde",
    "dpmpp_3m_sde",
    "ddpm",
    "lcm",
    "res_multistep_ancestral",
    "er_sde",
    "sa_solver",
    "sa_solver_pece",
    "seeds_2",
    "seeds_3",
)
REUSED = "outputs are reused, not predicted"


@pytest.fixture(scope="module")
def model():
    return comfyui_model(FLUX)


@pytest.fixture
def renamed(monkeypatch):
    """A sampler of core's under the name `mine`."""
    import comfy.k_diffusion.sampling as functions
    import comfy.samplers

    def of(name):
        if name not in comfy.samplers.SAMPLER_NAMES:
            pytest.skip(f"this ComfyUI has no sampler {name}")
        inner = comfy.samplers.sampler_object(name)

        def mine(model, x, sigmas, **how):
            return inner.sampler_function(model, x, sigmas, **{**inner.extra_options, **how})

        monkeypatch.setattr(functions, "sample_mine", mine, raising=False)
        monkeypatch.setattr(comfy.samplers, "KSAMPLER_NAMES", [*comfy.samplers.KSAMPLER_NAMES, "mine"])
        monkeypatch.setattr(comfy.samplers.KSampler, "SAMPLERS", [*comfy.samplers.KSampler.SAMPLERS, "mine"])
        return "mine"

    return of


def run(model, sampler, **how):
    return ksample(model, steps=STEPS, sampler=sampler, **how)


@pytest.mark.parametrize("name", QUIET)
def test_a_sampler_that_follows_the_model_is_extrapolated_for(model, ab, renamed, name):
    cached, mailbox = ab(model, interval=3, warmup_steps=3)
    run(cached, renamed(name), cfg=4.0)
    assert not any(REUSED in note for note in mailbox.latest.notes)


@pytest.mark.parametrize("name", NOISY)
def test_a_sampler_that_adds_noise_gets_reused_outputs(model, ab, renamed, name):
    cached, mailbox = ab(model, interval=3, warmup_steps=3)
    run(cached, renamed(name))
    assert any(REUSED in note for note in mailbox.latest.notes)


def test_an_ancestral_sampler_without_its_noise_is_extrapolated_for(model, ab):
    import comfy.sample
    import comfy.samplers

    cached, mailbox = ab(model, interval=3, warmup_steps=3)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", STEPS)
    noise = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(1))

    for eta, reused in ((0.0, False), (1.0, True)):
        sampler = comfy.samplers.ksampler("euler_ancestral", {"eta": eta})
        comfy.sample.sample_custom(
            cached,
            noise,
            1.0,
            sampler,
            sigmas,
            prompt(1),
            prompt(UNCONDITIONAL),
            torch.zeros_like(noise),
            disable_pbar=True,
        )
        assert any(REUSED in note for note in mailbox.latest.notes) is reused


def test_an_inpainting_mask_is_no_noise(model, ab):
    import comfy.sample
    import comfy.samplers

    cached, mailbox = ab(model, interval=3, warmup_steps=3)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", STEPS)
    noise, latent = (torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 64:] = 1
    comfy.sample.sample_custom(
        cached,
        noise,
        1.0,
        comfy.samplers.ksampler("euler"),
        sigmas,
        prompt(1),
        prompt(UNCONDITIONAL),
        latent,
        noise_mask=mask,
        disable_pbar=True,
    )
    assert not any(REUSED in note for note in mailbox.latest.notes)
    assert mailbox.latest.computed < STEPS


@pytest.mark.parametrize("name", ["euler_cfg_pp", "res_multistep_cfg_pp"])
def test_a_sampler_that_reads_unguided_outputs_is_not_predicted_after_guidance(model, ab, renamed, name):
    plain = run(model, renamed(name), cfg=3.0)
    cached, mailbox = ab(model, after_guidance=True)
    assert torch.equal(run(cached, "mine", cfg=3.0), plain)
    assert any("unguided output" in said for said in mailbox.latest.demotions)
    assert run(ab(model, after_guidance=True)[0], "euler", cfg=3.0).isfinite().all()


def test_rising_sigmas_are_uncached_and_it_is_said(ab):
    import comfy.sample
    import comfy.samplers

    model = flux()
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", STEPS).flip(0)
    sigmas[0] = 0.001
    latent = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))

    def invert(model):
        return comfy.sample.sample_custom(
            model,
            torch.zeros_like(latent),
            1.0,
            comfy.samplers.ksampler("euler"),
            sigmas,
            conditioning(1),
            conditioning(2),
            latent,
            disable_pbar=True,
        )

    for learn in (False, True):
        cached, mailbox = ab(model, "auto", learn=learn)
        assert torch.equal(invert(cached), invert(model))
        assert any("sigmas rise" in note for note in mailbox.latest.notes)


def test_a_jump_back_to_more_noise_is_computed(model, ab, monkeypatch):
    """A restart: from step 12 back to step 6, with the noise that belongs there."""
    import comfy.sample
    import comfy.samplers

    def restarting(model, x, sigmas, extra_args=None, callback=None, disable=None):
        order = [*range(12), *range(6, len(sigmas) - 1)]
        for place, i in enumerate(order):
            if place == 12:
                generator = torch.Generator().manual_seed(7)
                x = x + (sigmas[6] ** 2 - sigmas[12] ** 2).sqrt() * torch.randn(x.shape, generator=generator)
            denoised = model(x, sigmas[i] * x.new_ones([len(x)]), **extra_args)
            x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
        return x

    cached, mailbox = ab(model, interval=3, warmup_steps=3)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", STEPS)
    noise = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    comfy.sample.sample_custom(
        cached,
        noise,
        1.0,
        comfy.samplers.KSAMPLER(restarting),
        sigmas,
        prompt(1),
        prompt(UNCONDITIONAL),
        torch.zeros_like(noise),
        disable_pbar=True,
    )
    assert mailbox.latest.rows[12].step == 6
    assert mailbox.latest.rows[12].state == "compute"
    assert any(REUSED in note for note in mailbox.latest.notes)

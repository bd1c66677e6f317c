"""The lab's models in ComfyUI's own classes."""

from pathlib import Path

import pytest
import torch

from lab.families import DRAWINGS, SHOWN


@pytest.fixture(params=SHOWN.values(), ids=SHOWN)
def family(request):
    return request.param


def test_comfyui_s_class_takes_every_weight_and_returns_the_same_velocity(family):
    from lab.condition import condition
    from lab.in_comfyui import comfyui_model
    from lab.sample import load, noise_of

    ours, x, times = load(family)[0], noise_of([1, 2], family.latents), torch.tensor([0.9, 0.3])
    context, vector = condition(torch.tensor([3, 7]), ours.config.vector)
    patcher = comfyui_model(family)
    sampling = patcher.get_model_object("model_sampling")
    with torch.no_grad():
        theirs = patcher.model.diffusion_model(
            x, sampling.timestep(times), context, y=vector, guidance=None, transformer_options={}
        )
        torch.testing.assert_close(theirs, ours(x, times, context, vector), atol=2e-5, rtol=1e-4)


def sampler_of(family, steps: int, pictures: int):
    import comfy

    from lab.in_comfyui import ComfySampler

    return ComfySampler(Path(comfy.__file__ or next(iter(comfy.__path__))).parent, family, steps, pictures)


def test_presets_run_through_ksampler_and_the_nodes(pack, plans, family):
    from lab.demo import psnr
    from lab.rows import SETTINGS

    sampler = sampler_of(family, steps=10, pictures=2)
    plain, _ = sampler(SETTINGS[0])
    for name in ("AB-Cache balanced", "FEB-Cache balanced"):
        cached, report = sampler(next(s for s in SETTINGS if s.name == name))
        assert report.finished
        assert report.demotions == ()
        assert psnr(cached, plain) > 20


@pytest.mark.parametrize("name", ["AB-Cache balanced, learned", "FEB-Cache balanced, learned"])
def test_the_demo_learns_from_the_first_picture_in_a_folder_of_its_own(pack, plans, name):
    from lab.rows import demo_settings

    sampler = sampler_of(DRAWINGS, steps=24, pictures=2)
    setting = next(setting for setting in demo_settings(24) if setting.name == name)
    sampler.first(setting)
    report = sampler(setting)[1]
    assert report.name.startswith(name), (report.name, report.notes)
    assert report.shares.get("model", report.shares.get("attention")) < 0.55
    assert not list(plans.iterdir())

"""The lab's model in ComfyUI's own FLUX class."""

from pathlib import Path

import torch


def test_comfyui_s_class_takes_every_weight_and_returns_the_same_velocity():
    from lab.condition import condition
    from lab.in_comfyui import comfyui_model
    from lab.sample import load, noise_of

    ours, x, times = load()[0], noise_of([1, 2]), torch.tensor([0.9, 0.3])
    context, vector = condition(torch.tensor([3, 7]))
    with torch.no_grad():
        theirs = comfyui_model().model.diffusion_model(x, times, context, vector, transformer_options={})
        torch.testing.assert_close(theirs, ours(x, times, context, vector), atol=2e-5, rtol=1e-4)


def test_the_demo_s_settings_run_through_ksampler_and_the_nodes(pack):
    import comfy

    from lab.demo import psnr
    from lab.in_comfyui import comfyui_sampler
    from lab.rows import SETTINGS

    sampler = comfyui_sampler(Path(comfy.__file__ or next(iter(comfy.__path__))).parent, steps=10, pictures=2)
    plain, _ = sampler(SETTINGS[0])
    cached, report = sampler(next(s for s in SETTINGS if s.name == "AB-Cache balanced"))
    assert report.finished
    assert psnr(cached, plain) > 20

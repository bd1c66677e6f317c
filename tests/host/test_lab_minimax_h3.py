"""The lab's MiniMax H3 in ComfyUI's own class: its weights, its velocity, and its sound on a schedule of its own."""

import pytest
import torch
from comfy_models import comfy_model_from

from lab.condition import condition
from lab.minimax_h3 import MiniMaxConfig, MiniMaxH3
from lab.packed import AUDIO, AUDIO_SHIFT, CARRIED, LATENTS, SHIFT, VIDEO, pack, unpack
from lab.sample import noise_of, shifted_sigma

LABELS = torch.tensor([3, 7])


@pytest.fixture(scope="module")
def ours():
    """With random weights, so that every part of the network counts."""
    torch.manual_seed(0)
    model = MiniMaxH3().eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter += 0.1 * torch.randn(parameter.shape)
    return model


@pytest.fixture(scope="module")
def theirs(ours):
    import comfy.supported_models

    if not hasattr(comfy.supported_models, "MiniMaxH3"):
        pytest.skip("this ComfyUI has no MiniMax H3")
    c = MiniMaxConfig()
    model = comfy_model_from(
        "MiniMaxH3",
        {
            "image_model": "minimax_h3",
            "hidden_size": c.hidden,
            "num_layers": c.depth,
            "token_refiner_num_layers": c.refiners,
            "num_attention_heads": c.heads,
            "attention_head_dim": c.hidden // c.heads,
            "ffn_hidden_size": c.wide,
            "latents_dim": VIDEO[0],
            "audio_latents_dim": AUDIO[0],
            "text_dim": c.context,
            "time_embed_hidden_size": c.hidden,
            "time_embed_dim": c.times,
            "rope_inv_freq_len": c.frequencies,
        },
    )
    model.model.diffusion_model.load_state_dict(ours.state_dict(), strict=True)
    return model


def their_velocity(patcher, x, sigma, context):
    """What the sampler gets from ComfyUI's class, which takes one clip at a time."""
    model = patcher.model.diffusion_model
    time = patcher.get_model_object("model_sampling").timestep(torch.tensor([sigma]))
    rows = [
        pack(*model(list(unpack(row)), time, text, minimax_payload={"audio_scale": CARRIED}))
        for row, text in zip(x.split(1), context.split(1), strict=True)
    ]
    return torch.cat(rows)


@pytest.mark.parametrize("sigma", [1.0, 0.93, 0.4, 0.05])
def test_comfyui_s_class_takes_every_weight_and_returns_the_same_velocity(ours, theirs, sigma):
    x, (context, vector) = noise_of([1, 2], LATENTS), condition(LABELS)
    found = ours(x, torch.full((2,), sigma), context, vector)
    torch.testing.assert_close(their_velocity(theirs, x, sigma, context), found, atol=1e-4, rtol=1e-4)


def test_comfyui_samples_it_with_the_same_shifts(theirs):
    sampling = theirs.get_model_object("model_sampling")
    assert (sampling.shift, sampling.audio_shift, sampling.audio_scale) == (SHIFT, AUDIO_SHIFT, CARRIED)
    sigma = shifted_sigma(0.3, SHIFT)
    assert float(MiniMaxH3().sigmas(torch.tensor([sigma]))[0, 0, -1]) == pytest.approx(shifted_sigma(0.3, AUDIO_SHIFT))

"""AB-Cache on any diffusion model: every way that ComfyUI has to read a model's output, and a U-Net."""

import pytest
import torch
from comfy_models import comfy_model_from, conditioning, ksample

KINDS = {
    "EPS": "ModelSamplingDiscrete",
    "V_PREDICTION": "ModelSamplingDiscrete",
    "EDM": "ModelSamplingContinuousEDM",
    "X0": "ModelSamplingDiscrete",
    "CONST": "ModelSamplingDiscreteFlow",
    "COSMOS_RFLOW": "ModelSamplingCosmosRFlow",
}


@pytest.fixture(params=KINDS)
def model_sampling(request):
    from comfy import model_sampling as source

    joined = type("Joined", (getattr(source, KINDS[request.param]), getattr(source, request.param)), {})()
    if not hasattr(joined, "sigma_data"):
        joined.sigma_data = 1.0
    return joined


@pytest.fixture
def sampling(pack):
    return __import__(f"{pack.__name__}.nodes.comfy.sampling", fromlist=["timeline"])


def test_the_raw_output_gives_the_denoised_prediction_back(sampling, model_sampling):
    generator = torch.Generator().manual_seed(1)
    x, out = (torch.randn(2, 4, 8, 8, generator=generator) for _ in range(2))
    sigma = torch.tensor([0.4, 0.4])
    denoised = model_sampling.calculate_denoised(sigma, out, x)
    torch.testing.assert_close(sampling.raw_output(model_sampling, sigma, x, denoised), out, atol=1e-4, rtol=1e-4)


def test_model_time_falls_from_one_to_zero(sampling, model_sampling):
    top = float(model_sampling.sigma_max)
    times = sampling.timeline(model_sampling, torch.tensor([top, top / 3, top / 30, 0.0])).times
    assert times[0] == pytest.approx(1)
    assert list(times) == sorted(times, reverse=True)
    assert min(times) >= 0


def test_a_u_net_is_sampled_with_ab_cache_and_refused_by_feb_cache(ab, feb):
    sizes = {
        "image_size": 32,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "num_res_blocks": [1, 1],
        "channel_mult": [1, 2],
        "transformer_depth": [1, 1],
        "transformer_depth_output": [1, 1, 1, 1],
        "transformer_depth_middle": 1,
        "context_dim": 64,
        "num_heads": 2,
        "use_spatial_transformer": True,
        "legacy": False,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
    }
    unet = comfy_model_from("SD15", sizes)
    how = {"channels": 4, "steps": 20, "cfg": 2.0, "positive": conditioning(1), "negative": conditioning(2)}
    plain = ksample(unet, **how)
    cached, mailbox = ab(unet, "balanced")
    assert ksample(cached, **how).isfinite().all()
    assert mailbox.latest.computed < mailbox.latest.evaluations == 20
    assert torch.equal(ksample(ab(unet, interval=1)[0], **how), plain)
    assert torch.equal(ksample(unet, **how), plain)
    with pytest.raises(TypeError, match="UNetModel.*AB-Cache Apply"):
        feb(unet)

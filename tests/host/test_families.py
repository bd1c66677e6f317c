"""The models built from FLUX's blocks: each matches the host, every state is checked and none is demoted."""

from importlib import import_module

import pytest
import torch
from comfy_models import FLUX, MIXED, NEVER, comfy_model, conditioning, flux, ksample

CHROMA = {
    key: FLUX[key]
    for key in (
        "context_in_dim",
        "hidden_size",
        "mlp_ratio",
        "num_heads",
        "depth",
        "depth_single_blocks",
        "axes_dim",
        "theta",
        "patch_size",
        "qkv_bias",
        "txt_ids_dims",
    )
}
CHROMA |= {
    "image_model": "chroma",
    "in_channels": 64,
    "out_channels": 64,
    "in_dim": 64,
    "out_dim": 128,
    "hidden_dim": 32,
    "n_layers": 1,
    "vec_in_dim": None,
}
FLUX2 = {
    "image_model": "flux2",
    "axes_dim": [32, 32, 32, 32],
    "mlp_ratio": 3.0,
    "theta": 2000,
    "in_channels": 128,
    "out_channels": 128,
    "patch_size": 1,
    "global_modulation": True,
    "mlp_silu_act": True,
    "qkv_bias": False,
    "ops_bias": False,
    "default_ref_method": "index",
    "ref_index_scale": 10.0,
    "txt_ids_dims": [3],
    "vec_in_dim": None,
}


def schnell():
    return flux("FluxSchnell", guidance_embed=False), {}


def chroma():
    return comfy_model("Chroma", CHROMA, "comfy.ldm.chroma.model", "ChromaParams"), {}


def flux2():
    if not hasattr(import_module("comfy.supported_models"), "Flux2"):
        pytest.skip("this ComfyUI has no FLUX.2")
    return flux("Flux2", **FLUX2), {"channels": 128}


def fill():
    return flux("FluxInpaint", in_channels=96), {}


def kontext():
    reference = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(7))
    positive = conditioning(1)
    positive[0][1]["reference_latents"] = [reference]
    return flux(), {"positive": positive}


@pytest.fixture(params=[schnell, chroma, flux2, fill, kontext], ids=lambda build: build.__name__)
def family(request):
    return request.param()


def test_never_reuse_is_bit_identical_in_the_family(family, feb):
    model, how = family
    assert torch.equal(ksample(feb(model, **NEVER)[0], **how), ksample(model, **how))


def test_every_state_runs_undemoted_in_the_family(family, feb):
    model, how = family
    cached, mailbox = feb(model, **MIXED, stage_boundary=0.6)
    samples = ksample(cached, steps=24, **how)
    assert samples.isfinite().all()
    assert mailbox.latest.demotions == ()
    assert {row.state for row in mailbox.latest.rows} == {"compute", "reuse attention", "reuse mlp", "reuse both"}
    assert mailbox.latest.shares["attention"] < 0.7


def test_ab_cache_runs_in_the_family(family, ab):
    model, how = family
    cached, mailbox = ab(model)
    assert ksample(cached, **how).isfinite().all()
    assert mailbox.latest.computed < mailbox.latest.evaluations

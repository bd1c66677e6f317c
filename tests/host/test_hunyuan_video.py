"""HunyuanVideo in a real ComfyUI: text and image to video, 1.0 and 1.5, small and deep."""

from importlib import import_module

import pytest
import torch
from comfy_models import MIXED, NEVER, comfy_model, conditioning

SIZES = {
    "image_model": "hunyuan_video",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 768,
    "context_in_dim": 64,
    "hidden_size": 128,
    "mlp_ratio": 4.0,
    "num_heads": 1,
    "depth": 2,
    "depth_single_blocks": 3,
    "axes_dim": [16, 56, 56],
    "theta": 256,
    "patch_size": [1, 2, 2],
    "qkv_bias": True,
    "guidance_embed": True,
    "byt5": False,
    "meanflow": False,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "meanflow_sum": False,
}
FRAMES, EDGE = 3, 8


def hunyuan(kind="HunyuanVideo", dtype=torch.float32, **sizes):
    return comfy_model(kind, SIZES | sizes, "comfy.ldm.hunyuan_video.model", "HunyuanVideoParams", dtype)


def text(seed, **extra):
    prompt = conditioning(seed, vector=768)
    prompt[0][1].update(extra)
    return prompt


def picture(channels=16):
    return torch.randn(1, channels, FRAMES, EDGE, EDGE, generator=torch.Generator().manual_seed(7))


def vsample(model, prompts, steps=12, cfg=3.0, channels=16, batch=1):
    """What the KSampler node does with a video latent."""
    import comfy.samplers

    shape = (batch, channels, FRAMES, EDGE, EDGE)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    worker = comfy.samplers.KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler="euler",
        scheduler="simple",
        denoise=1.0,
        model_options=model.model_options,
    )
    return worker.sample(
        noise, prompts[0], prompts[1], cfg=cfg, latent_image=torch.zeros(shape), disable_pbar=True, seed=1
    )


def text_to_video():
    return hunyuan(), (text(1), text(2)), {}


def token_replace():
    """Image to video as of the first release's second version: the first frame is given, and its tokens get a
    modulation of their own."""
    extra = {
        "guiding_frame_index": 0,
        "concat_latent_image": picture(),
        "concat_mask": torch.ones(1, 1, FRAMES, EDGE, EDGE),
    }
    prompts = (text(1, **extra), text(2, **extra))
    return hunyuan("HunyuanVideoI2V", in_channels=33), prompts, {"cfg": 1.0}  # ComfyUI's code is for one row


def concatenated():
    """Image to video as of the first release: the picture comes in channels of its own."""
    extra = {"concat_latent_image": picture(), "concat_mask": torch.ones(1, 1, FRAMES, EDGE, EDGE)}
    return hunyuan("HunyuanVideoI2V", in_channels=33), (text(1, **extra), text(2, **extra)), {}


def reference():
    """A reference latent, whose tokens join the sequence."""
    extra = {"ref_latent": picture()[:, :, :1]}
    return hunyuan(), (text(1, **extra), text(2, **extra)), {"cfg": 1.0}  # ComfyUI's code is for one row


def version_1_5():
    if not hasattr(import_module("comfy.supported_models"), "HunyuanVideo15"):
        pytest.skip("this ComfyUI has no HunyuanVideo 1.5")
    model = hunyuan(
        "HunyuanVideo15",
        in_channels=65,
        out_channels=32,
        patch_size=[1, 1, 1],
        vec_in_dim=None,
        guidance_embed=False,
        byt5=True,
        use_cond_type_embedding=True,
        vision_in_dim=1152,
        meanflow_sum=True,
    )
    glyphs = {"conditioning_byt5small": torch.randn(1, 4, 1472, generator=torch.Generator().manual_seed(3))}
    return model, (text(1, **glyphs), text(2)), {"channels": 32}


def deep():
    return hunyuan(depth=20, depth_single_blocks=40), (text(1), text(2)), {}


VARIANTS = [text_to_video, token_replace, concatenated, reference, version_1_5, deep]


@pytest.fixture(params=VARIANTS, ids=lambda build: build.__name__)
def variant(request):
    return request.param()


def untouched(model):
    return not any("forward" in module.__dict__ for module in model.model.diffusion_model.modules())


def test_never_reuse_is_bit_identical_and_leaves_nothing_behind(variant, feb):
    model, prompts, how = variant
    plain = vsample(model, prompts, **how)
    assert torch.equal(vsample(feb(model, **NEVER)[0], prompts, **how), plain)
    assert untouched(model)
    assert torch.equal(vsample(model, prompts, **how), plain)


@pytest.mark.parametrize("preset", ["auto", "paper"])
def test_the_presets_run_undemoted(variant, feb, preset):
    model, prompts, how = variant
    cached, mailbox = feb(model, preset)
    assert vsample(cached, prompts, steps=24, **how).isfinite().all()
    assert mailbox.latest.demotions == ()
    assert mailbox.latest.shares["attention"] < 0.8


def test_every_state_runs_undemoted(variant, feb):
    model, prompts, how = variant
    cached, mailbox = feb(model, **MIXED, stage_boundary=0.8)
    assert vsample(cached, prompts, steps=24, **how).isfinite().all()
    assert mailbox.latest.demotions == ()
    assert {row.state for row in mailbox.latest.rows} == {"compute", "reuse attention", "reuse mlp", "reuse both"}
    assert untouched(model)


def test_ab_cache_runs(variant, ab):
    model, prompts, how = variant
    cached, mailbox = ab(model)
    assert vsample(cached, prompts, steps=24, **how).isfinite().all()
    assert mailbox.latest.computed < 24


@pytest.mark.parametrize("widgets", [{"preset": "auto"}, MIXED], ids=["merged", "every site"])
@pytest.mark.parametrize("build", [text_to_video, concatenated, deep])
def test_batched_and_split_conditionings_give_the_same(build, widgets, feb, monkeypatch):
    import comfy.samplers

    model, prompts, how = build()
    cached = feb(model, **widgets, memory=1.0)[0]
    batched, calls = vsample(cached, prompts, **how), []

    def flipping(*args):
        calls.append(args)
        return 0 if len(calls) % 3 else 1e12

    monkeypatch.setattr(comfy.samplers.comfy.model_management, "get_free_memory", flipping)
    split = vsample(cached, prompts, **how)
    assert len(calls) > 3
    assert float((split - batched).norm() / batched.norm()) <= 3e-6


def test_a_batch_is_each_of_its_videos(feb):
    model, prompts, _ = text_to_video()
    cached = feb(model, "auto")[0]
    both = vsample(cached, prompts, batch=2)
    alone = vsample(cached, prompts, batch=1)
    assert float((both[:1] - alone).norm() / alone.norm()) <= 3e-6

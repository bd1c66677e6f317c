"""Every host on ComfyUI's own classes: its paths resolve, each site fires once, nothing is demoted, nothing stays
behind."""

import inspect
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from comfy_models import MIXED, NEVER
from tiny import TINY, latent, sampled
from tiny_image import OVIS_IMAGE

MERGED_ONLY = {name: tiny for name, tiny in TINY.items() if tiny.host == "CogVideoX"}
SEPARABLE = {name: tiny for name, tiny in TINY.items() if name not in MERGED_ONLY}


@pytest.fixture(params=TINY.values(), ids=TINY)
def tiny(request):
    return request.param


@pytest.fixture(params=SEPARABLE.values(), ids=SEPARABLE)
def separable(request):
    return request.param


@pytest.fixture(params=MERGED_ONLY.values(), ids=MERGED_ONLY)
def merged_only(request):
    return request.param


def untouched(model):
    return not any("forward" in module.__dict__ for module in model.model.diffusion_model.modules())


def test_the_model_matches_its_host(tiny, pack):
    hosts = sys.modules[f"{pack.__name__}.cache_core.hosts"]
    model = tiny.build().model.diffusion_model
    host = hosts.match(model)
    assert host.name == tiny.host
    assert type(model).__name__ in host.classes


def test_every_family_of_this_release_has_a_tiny_model(pack):
    """HunyuanVideo has its own file of tests; newer ones have mirrors in tests/engine/newer.py."""
    hosts = sys.modules[f"{pack.__name__}.cache_core.hosts"]
    assert {host.name for host in hosts.HOSTS if not host.newer} == {tiny.host for tiny in TINY.values()} | {
        "HunyuanVideo"
    }


def test_the_table_says_which_models_lack_the_hook_of_easycache(tiny, pack):
    import comfy.supported_models

    model = tiny.build().model.diffusion_model
    files = {inspect.getsourcefile(kind) for kind in type(model).__mro__ if kind.__module__.startswith("comfy.")}
    hooked = any("WrappersMP.DIFFUSION_MODEL" in Path(file).read_text(encoding="utf-8") for file in files)
    host = sys.modules[f"{pack.__name__}.cache_core.hosts"].match(model)
    if host.easycache and not hooked and not hasattr(comfy.supported_models, "MiniMaxH3"):
        pytest.skip("the table is of newer releases, which have more hooks")
    assert host.easycache == hooked


def test_never_reuse_is_bit_identical_and_leaves_nothing_behind(tiny, feb):
    model = tiny.build()
    plain = sampled(tiny, model)
    assert plain.isfinite().all()
    assert torch.equal(sampled(tiny, feb(model, **NEVER)[0]), plain)
    assert untouched(model)
    assert torch.equal(sampled(tiny, model), plain)


def test_every_state_runs_undemoted(separable, feb):
    model = separable.build()
    cached, mailbox = feb(model, **MIXED, stage_boundary=0.8)
    assert sampled(separable, cached, steps=24).isfinite().all()
    report = mailbox.latest
    assert report.demotions == ()
    assert {row.state for row in report.rows} == {"compute", "reuse attention", "reuse mlp", "reuse both"}
    assert report.shares["attention"] < 0.8
    assert untouched(model)


def test_in_bfloat16_never_reuse_is_bit_identical_and_every_state_runs_undemoted(separable, feb):
    model = separable.build(torch.bfloat16)
    assert torch.equal(sampled(separable, feb(model, **NEVER)[0], steps=8), sampled(separable, model, steps=8))
    cached, mailbox = feb(model, **MIXED, stage_boundary=0.8)
    assert sampled(separable, cached, steps=12).isfinite().all()
    assert mailbox.latest.demotions == ()
    assert mailbox.latest.shares["attention"] < 0.9


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_blocks_that_cannot_be_taken_apart_rest_together_and_the_report_says_so(merged_only, feb, dtype):
    model = merged_only.build(dtype)
    assert torch.equal(sampled(merged_only, feb(model, **NEVER)[0]), sampled(merged_only, model))
    cached, mailbox = feb(model, **MIXED)
    assert sampled(merged_only, cached, steps=24).isfinite().all()
    report = mailbox.latest
    assert {row.state for row in report.rows} == {"compute", "reuse both"}
    assert report.shares["attention"] == report.shares["mlp"] < 0.8
    assert ["cannot be told apart" in text for text in report.demotions] == [True]
    assert untouched(model)


def test_ovis_is_cached_whole_and_says_that_its_single_blocks_cannot_be_separated(feb):
    model = OVIS_IMAGE.build()
    assert torch.equal(sampled(OVIS_IMAGE, feb(model, **NEVER)[0]), sampled(OVIS_IMAGE, model))
    cached, mailbox = feb(model, "auto")
    assert sampled(OVIS_IMAGE, cached, steps=16).isfinite().all()
    assert [("gated outside its activation" in text) for text in mailbox.latest.demotions] == [True]
    assert mailbox.latest.shares["mlp"] < 0.9


def test_auto_runs_undemoted(tiny, feb):
    cached, mailbox = feb(tiny.build(), "auto")
    assert sampled(tiny, cached, steps=16).isfinite().all()
    assert mailbox.latest.demotions == ()
    assert mailbox.latest.shares["mlp"] < 0.9


def test_each_site_fires_once_in_a_call_of_the_model(separable, feb, pack, monkeypatch):
    run = sys.modules[f"{pack.__name__}.cache_core.run.run"].Run
    asked, remember = Counter(), run.remember

    def counted(self, kind, site, value):
        asked[len(self.evaluations), self._calls.here.streams, site] += 1
        return remember(self, kind, site, value)

    monkeypatch.setattr(run, "remember", counted)
    cached, mailbox = feb(separable.build(), **MIXED)
    sampled(separable, cached, steps=12)
    assert set(asked.values()) == {1}
    assert max(Counter((n, call) for n, call, _ in asked).values()) > 2
    assert mailbox.latest.restarts == 0


def test_the_high_and_the_low_noise_expert_are_two_runs(feb):
    """Wan 2.2: two models, one after the other, the first leaving its noise to the second."""
    import comfy.samplers

    tiny = TINY["wan"]
    positive, negative = tiny.prompts()

    def both(models):
        x = latent(tiny)
        for i, model in enumerate(models):
            worker = comfy.samplers.KSampler(
                model,
                steps=24,
                device=model.load_device,
                sampler="euler",
                scheduler="simple",
                denoise=1.0,
                model_options=model.model_options,
            )
            x = worker.sample(
                torch.zeros_like(x) if i else x,
                positive,
                negative,
                cfg=3.0,
                latent_image=x if i else 0 * x,
                start_step=12 * i,
                last_step=12 * (i + 1),
                force_full_denoise=bool(i),
                disable_pbar=True,
                seed=1,
            )
        return x

    experts = [tiny.build(), tiny.build()]
    never = [feb(model, **NEVER) for model in experts]
    assert torch.equal(both([model for model, _ in never]), both(experts))
    cached = [feb(model, "auto") for model in experts]
    assert both([model for model, _ in cached]).isfinite().all()
    for _, mailbox in cached:
        assert len(mailbox.reports) == 1
        assert mailbox.latest.steps == 12
        assert mailbox.latest.shares["attention"] < 1

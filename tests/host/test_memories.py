"""Models and patches that keep something from call to call: core's KV cache of FLUX.2, causal Wan, and Wan Animate 2
with its two branches."""

import sys
from importlib import import_module
from unittest.mock import Mock

import pytest
import torch
from comfy_models import comfy_model_from, conditioning, ksample
from test_families import flux2
from tiny import ANIMATE_2, TINY, Tiny, noise, sampled
from tiny_video import WAN

EVERY_THIRD = {"attention_interval": 3, "mlp_interval": 3, "fragile_interval": 3, "memory": 1.0}
MLP_ALONE = {**EVERY_THIRD, "attention_interval": 1, "fragile_interval": 1}
WIDGETS = {
    "merged": EVERY_THIRD | {"warmup_steps": 1},
    "merged, order 2": EVERY_THIRD | {"warmup_steps": 2, "predictor": "order 2"},
    "merged, late": EVERY_THIRD | {"warmup_steps": 4},
    "site by site": MLP_ALONE | {"warmup_steps": 1},
}


@pytest.fixture
def kv_model():
    """FLUX.2 with core's FluxKVCache, and how it is sampled with a reference: from the second call on it has half
    the tokens."""
    if not hasattr(nodes := import_module("comfy_extras.nodes_flux"), "FluxKVCache"):
        pytest.skip("this ComfyUI has no FluxKVCache")
    model, how = flux2()
    prompt = conditioning(1)
    prompt[0][1]["reference_latents"] = [noise((1, 128, 8, 8), 5)]
    return nodes.FluxKVCache.execute(model)[0], {**how, "positive": prompt}


@pytest.mark.parametrize("widgets", WIDGETS.values(), ids=WIDGETS)
def test_tokens_that_go_away_after_the_first_call_cost_a_computed_step_and_no_more(kv_model, feb, widgets):
    model, how = kv_model
    plain = ksample(model, **how)
    cached, mailbox = feb(model, **widgets)
    off = (ksample(cached, **how) - plain).norm() / plain.norm()
    assert off < 0.1
    assert torch.equal(ksample(model, **how), plain)
    early = widgets["warmup_steps"] == 1
    if widgets["attention_interval"] == 1:
        assert off == 0
        assert "attn1_patch keeps something from call to call" in mailbox.latest.demotions[0]
    else:
        assert mailbox.latest.shares["mlp"] < 0.6
        assert mailbox.latest.demotions == ()
        assert any("shapes inside the model changed at step 1" in note for note in mailbox.latest.notes) == early


@pytest.mark.parametrize("widgets", WIDGETS.values(), ids=WIDGETS)
def test_no_block_runs_twice_at_the_first_call_under_a_kv_cache(kv_model, feb, widgets):
    model, how = kv_model
    patch, ran = model.model_options["transformer_options"]["patches"]["attn1_patch"][0], []
    looking = Mock(
        side_effect=lambda *args, extra_options, **kwargs: ran.append(
            (extra_options["block_type"], extra_options["block_index"])
        )
        or patch(*args, extra_options=extra_options, **kwargs)
    )
    model.model_options["transformer_options"]["patches"]["attn1_patch"] = [
        lambda *args, **kwargs: looking(*args, **kwargs)
    ]
    diffusion = model.model.diffusion_model
    ksample(feb(model, **widgets)[0], **how)
    once = len(diffusion.double_blocks) + len(diffusion.single_blocks)
    assert len(set(ran[:once])) == once


def test_ab_cache_is_as_good_with_a_kv_cache_as_without(kv_model, ab):
    model, how = kv_model
    plain = ksample(model, **how)
    cached, mailbox = ab(model)
    assert (ksample(cached, **how) - plain).norm() / plain.norm() < 0.1
    assert mailbox.latest.computed < mailbox.latest.evaluations


@pytest.fixture
def causal():
    import comfy.supported_models

    if not hasattr(comfy.supported_models, "WAN21_CausalAR_T2V"):
        pytest.skip("this ComfyUI has no causal Wan")
    return comfy_model_from("WAN21_CausalAR_T2V", WAN)


def frame_by_frame(model, steps=8):
    """What SamplerCustomAdvanced makes with SamplerARVideo."""
    import comfy.samplers

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(*TINY["wan"].prompts())
    guider.set_cfg(1.0)
    start = noise((1, 16, 3, 8, 8), 1)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", steps)
    sampler = comfy.samplers.ksampler("ar_video", {"num_frame_per_block": 1})
    return guider.sample(start, 0 * start, sampler, sigmas, disable_pbar=True, seed=1)


SCALED = {"noise_scale_high": 0.98, "noise_scale_low": 0.96}
HOW = {
    "AB": ("ab", {"preset": "auto"}),
    "AB, learning": ("ab", {"preset": "auto", "learn": True}),
    "AB after guidance": ("ab", {"after_guidance": True}),
    "FEB": ("feb", {"preset": "auto", "memory": 1.0}),
    "FEB, site by site, noise scaled": ("feb", MLP_ALONE | SCALED),
}


@pytest.mark.parametrize(("node", "widgets"), HOW.values(), ids=HOW)
def test_a_model_that_appends_to_what_it_is_handed_is_not_cached(
    causal, node, widgets, request, pack, tmp_path, monkeypatch
):
    monkeypatch.setattr(f"{pack.__name__}.nodes.comfy.plan_folder.folders", lambda: [tmp_path])
    cached, mailbox = request.getfixturevalue(node)(causal, **widgets)
    plain = frame_by_frame(causal)
    for _ in range(2):
        assert torch.equal(frame_by_frame(cached), plain)
        assert mailbox.latest.computed == mailbox.latest.evaluations
        assert any("ar_state" in said and "running uncached" in said for said in mailbox.latest.demotions)
    assert list(tmp_path.iterdir()) == []
    assert torch.equal(frame_by_frame(causal), plain)


def test_a_causal_model_that_is_sampled_as_a_whole_is_cached(causal, ab, feb):
    tiny = Tiny("WAN21_CausalAR_T2V", "Wan", WAN, (16, 3, 8, 8))
    for apply in (ab, feb):
        cached, mailbox = apply(causal, "auto")
        assert sampled(tiny, cached, steps=16).isfinite().all()
        assert mailbox.latest.demotions == ()
        assert min(mailbox.latest.shares.values()) < 1


def test_a_memory_is_told_by_what_the_call_does_to_it_whatever_its_name(pack):
    observed = sys.modules[f"{pack.__name__}.nodes.comfy.remembering"].observed
    state, told = {"frames": [{"k": torch.zeros(1), "end": 0}]}, []

    def call():
        state["frames"][0]["end"] += 1
        return "out"

    options = {"mine": state, "counter": {"n": 0}, "sigmas": torch.ones(1)}
    assert observed(options, lambda: options["counter"].update(n=1), told.append) is None
    assert told == []
    assert observed(options, call, told.append) == "out"
    assert told == ["mine"]


def test_wan_animate_2_is_refused_by_feb_cache_with_what_works_and_cached_by_ab_cache(feb, ab):
    model = ANIMATE_2.build()
    with pytest.raises(TypeError, match="Wan Animate 2.*AB-Cache Apply"):
        feb(model)
    cached, mailbox = ab(model)
    assert sampled(ANIMATE_2, cached, steps=16).isfinite().all()
    assert mailbox.latest.computed < mailbox.latest.evaluations


def test_wan_dancer_keeps_every_site_because_music_comes_between_its_blocks(feb, pack, monkeypatch):
    tiny, kept = TINY["wan_dancer"], set()
    store = sys.modules[f"{pack.__name__}.cache_core.store.store"].Store
    push = store.push
    monkeypatch.setattr(store, "push", lambda self, key, *given: (kept.add(key[0]), push(self, key, *given))[1])
    cached, mailbox = feb(tiny.build(), "auto")
    assert sampled(tiny, cached, steps=16).isfinite().all()
    assert kept == {"attention", "mlp", "model"}  # the last for corrections
    assert mailbox.latest.shares["mlp"] < 1
    assert mailbox.latest.demotions == ()

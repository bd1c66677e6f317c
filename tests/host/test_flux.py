"""FLUX of ComfyUI's own classes, through ComfyUI's own samplers, with the nodes on it."""

import pytest
import torch
from comfy_models import MIXED, NEVER, applying, conditioning, ksample


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def test_all_four_states_occur_and_nothing_is_demoted(model, feb):
    cached, mailbox = feb(model, **MIXED, stage_boundary=0.6)
    ksample(cached, steps=30)
    states = {row.state for row in mailbox.latest.rows}
    assert states == {"compute", "reuse attention", "reuse mlp", "reuse both"}
    assert mailbox.latest.demotions == ()


@pytest.mark.parametrize("node", ["FEBCacheApply", "ABCacheApply"])
def test_batched_and_split_conditionings_give_the_same(pack, model, monkeypatch, node):
    """ComfyUI batches by free memory; with none of it every conditioning is a call of its own, in the other order."""
    import comfy.samplers

    memory = {"memory": 1.0} if node == "FEBCacheApply" else {}  # not the one that is faked below
    cached = applying(pack, node)(model, **memory)[0]
    batched = ksample(cached, cfg=3.0)
    calls = {"n": 0}

    def flipping(*args):
        calls["n"] += 1
        return 0 if calls["n"] % 3 else 1e12

    monkeypatch.setattr(comfy.samplers.comfy.model_management, "get_free_memory", flipping)
    assert apart(ksample(cached, cfg=3.0), batched) <= 3e-6


def test_nodes_chain_in_either_order_with_the_same_result(model, feb, ab):
    first = ab(feb(model)[0])[0]
    second = feb(ab(model)[0])[0]
    assert torch.equal(ksample(first), ksample(second))


def test_after_guidance_equals_per_conditioning_at_constant_guidance(model, ab):
    raw, guided = (ksample(ab(model, after_guidance=after)[0], cfg=3.0) for after in (False, True))
    assert apart(guided, raw) <= 1e-5


def test_cfg_pp_keeps_a_fresh_unconditional_output(model, ab):
    plain = ksample(model, sampler="dpmpp_2m_cfg_pp", cfg=1.5, steps=30)
    euler = apart(ksample(ab(model, interval=2)[0], cfg=1.5, steps=30), ksample(model, cfg=1.5, steps=30))
    assert (
        apart(ksample(ab(model, interval=2)[0], sampler="dpmpp_2m_cfg_pp", cfg=1.5, steps=30), plain) < 3 * euler + 0.05
    )


def test_noise_scale_of_one_changes_nothing_and_others_scale_the_noise(model, feb):
    plain = ksample(model, steps=10)
    assert torch.equal(ksample(feb(model, **NEVER)[0], steps=10), plain)
    scaled = ksample(feb(model, **NEVER, noise_scale_high=0.98, noise_scale_low=0.96)[0], steps=10)
    assert 1e-4 < apart(scaled, plain) < 0.5


def test_a_shared_attention_override_is_still_called(model, feb):
    calls = []

    def override(kernel, *args, **kwargs):
        calls.append(1)
        return kernel(*args, **kwargs)

    patched = model.clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = override
    ksample(feb(patched, attention_interval=1, mlp_interval=3)[0])
    assert len(calls) >= 12 * 5  # every step, every block; the check of the mounts comes on top


def guided(model, steps: int = 12) -> torch.Tensor:
    """What SamplerCustomAdvanced does with a CFGGuider."""
    import comfy.samplers

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(conditioning(1), conditioning(2))
    guider.set_cfg(2.0)
    noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", steps)
    return guider.sample(
        noise, torch.zeros_like(noise), comfy.samplers.ksampler("euler"), sigmas, disable_pbar=True, seed=1
    )


@pytest.mark.parametrize("node", ["FEBCacheApply", "ABCacheApply"])
def test_a_guider_of_its_own_samples_as_ksampler_does(pack, model, node):
    cached, mailbox = applying(pack, node)(model, "auto")
    assert torch.equal(guided(cached), ksample(cached, cfg=2.0))
    assert mailbox.latest.shares[min(mailbox.latest.shares)] < 1
    assert torch.equal(guided(model), ksample(model, cfg=2.0))

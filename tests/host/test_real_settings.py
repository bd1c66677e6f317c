# ruff: noqa: F811 (fixtures come by import)
"""Both nodes at the settings that people run: learned and not, two experts, and a queue of changing settings."""

import pytest
import torch
from test_learning import STEPS, apart, ksample, learning, model, prompt  # noqa: F401 (fixtures)
from test_weights import with_lora

from cache_core import evenly
from lab.condition import UNCONDITIONAL

pytestmark = pytest.mark.usefixtures("plans")


@pytest.mark.parametrize("cfg", [1.0, 3.5])
def test_feb_cache_learns_too_and_is_no_worse_than_without_learning_at_the_same_work(model, feb, plans, cfg):
    plain = ksample(model, steps=STEPS, cfg=cfg)
    unlearned = ksample(feb(model, "quality", learn=False)[0], steps=STEPS, cfg=cfg)
    cached, mailbox = feb(model, "quality", learn=True)
    assert torch.equal(ksample(cached, steps=STEPS, cfg=cfg), plain)
    assert any("attention and MLP run at 16 of 24 steps" in note for note in mailbox.latest.notes)
    learned = ksample(cached, steps=STEPS, cfg=cfg)
    assert mailbox.latest.shares["attention"] == mailbox.latest.shares["mlp"] == pytest.approx(2 / 3)
    assert apart(learned, plain) <= apart(unlearned, plain)
    assert len(list(plans.iterdir())) == 1
    assert torch.equal(ksample(model, steps=STEPS, cfg=cfg), plain)


@pytest.mark.parametrize("preset", ["auto", "quality", "balanced", "fast"])
@pytest.mark.parametrize("how", [{}, {"sampler": "res_multistep"}, {"cfg": 3.5}, {"sampler": "uni_pc"}])
def test_without_learning_both_nodes_are_nearer_than_fewer_steps(model, ab, feb, preset, how):
    plain = ksample(model, steps=20, **how)
    for node in (ab, feb):
        cached, mailbox = node(model, preset, learn=False)
        near = ksample(cached, steps=20, **how)
        fewer = ksample(model, steps=13, **how)
        assert apart(near, plain) < apart(fewer, plain)
        share = mailbox.latest.shares.get("attention", mailbox.latest.shares.get("model"))
        assert share == 0.65


def test_two_experts_learn_a_plan_each_and_use_both(model, learning, plans):
    """Wan 2.2: the first half of the steps by one model, the second half by another."""
    nodes = [learning(model), learning(with_lora(model))]

    def pair(first, second, seed=1):
        half = expert(first, None, seed, last_step=10, force_full_denoise=False)
        return expert(second, half, seed, start_step=10, disable_noise=True)

    plain = pair(model, with_lora(model))
    assert torch.equal(pair(*(cached for cached, _ in nodes)), plain)
    assert len(list(plans.glob("*.safetensors"))) == 2
    for seed in (1, 7):
        near = pair(*(cached for cached, _ in nodes), seed)
        assert [mailbox.latest.computed for _, mailbox in nodes] == [4, 4]
        assert apart(near, pair(model, with_lora(model), seed)) < 0.1


def expert(model, latent, seed, disable_noise=False, steps=20, **part):
    """What the KSamplerAdvanced node does."""
    import comfy.samplers

    noise = torch.randn((1, 16, 16, 16), generator=torch.Generator().manual_seed(seed))
    latent = torch.zeros_like(noise) if latent is None else latent
    worker = comfy.samplers.KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler="euler",
        scheduler="simple",
        model_options=model.model_options,
    )
    with torch.inference_mode():
        return worker.sample(
            torch.zeros_like(noise) if disable_noise else noise,
            prompt(1),
            prompt(UNCONDITIONAL),
            cfg=1.0,
            latent_image=latent,
            disable_pbar=True,
            seed=seed,
            **part,
        )


def test_a_queue_of_changing_settings_is_never_further_off_than_even_steps(model, learning, ab):
    cached, mailbox = learning(model, "quality")
    for number in range(20):
        how = {
            "seed": number,
            "label": number % 12,
            "cfg": (1.0, 1.0, 3.5)[number % 3],
            "size": (16, 16, 16, 24)[number % 4],
        }
        plain, near = ksample(model, steps=STEPS, **how), ksample(cached, steps=STEPS, **how)
        computed = mailbox.latest.computed
        if computed < STEPS:
            even = ",".join(map(str, evenly(STEPS, computed)))
            widgets = ksample(ab(model, "custom", computed_steps=even)[0], steps=STEPS, **how)
            assert apart(near, plain) < apart(widgets, plain)
        else:
            assert torch.equal(near, plain)

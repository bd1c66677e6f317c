"""MiniMax H3 as its template samples it: a guider without a negative, res_multistep, 20 steps; video and sound in one
sequence of tokens that has no batch."""

import sys

import pytest
import torch
from comfy_models import NEVER
from tiny import latent
from tiny_video import H3, REFERENCES, h3, noise

FIRST_FRAME = {"resolved_frame_index": 0, "latent": noise((1, 24, 1, 4, 4), 6)}
MERGED = {"attention_interval": 3, "mlp_interval": 3, "fragile_interval": 3, "memory": 1.0}
TASKS = {
    "text": h3(),
    "frame": h3(minimax_keyframes=[FIRST_FRAME]),
    "references": h3(minimax_refs=REFERENCES),
}


@pytest.fixture(params=TASKS.values(), ids=TASKS)
def task(request):
    return request.param


def template(tiny, model, positive=None, steps=20):
    """What SamplerCustomAdvanced does with a BasicGuider: video and sound, flat."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Guider_Basic

    guider, start = Guider_Basic(model), latent(tiny)
    guider.set_conds(positive or tiny.prompts()[0])
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "simple", steps)
    sampler = comfy.samplers.ksampler("res_multistep")
    samples = guider.sample(start, start * 0, sampler, sigmas, disable_pbar=True, seed=1)
    return torch.cat([part.flatten() for part in samples.unbind()])


def text(tokens):
    return [[noise((1, tokens, H3["text_dim"]), 7), {}]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_with_nothing_predicted_it_is_exact(task, feb, ab, dtype):
    model = task.build(dtype)
    plain = template(task, model)
    assert plain.isfinite().all()
    assert torch.equal(template(task, feb(model, **NEVER)[0]), plain)
    assert torch.equal(template(task, ab(model, interval=1)[0]), plain)


def test_the_list_is_one_residual_of_all_tokens(task, feb, pack, monkeypatch):
    store, kept = sys.modules[f"{pack.__name__}.cache_core.store"].Store, {}
    push = store.push

    def seen(self, key, node, value, depth):
        kept[key[:2]] = tuple(value.shape)
        return push(self, key, node, value, depth)

    monkeypatch.setattr(store, "push", seen)
    cached, mailbox = feb(task.build(), **MERGED)
    assert template(task, cached).isfinite().all()
    report = mailbox.latest
    assert report.demotions == ()
    assert report.restarts == 0
    assert report.shares["attention"] == report.shares["mlp"] < 0.8
    ((kind, site),) = kept
    assert (kind.value, site) == ("blocks", "blocks.x")
    referred = {"minimax_keyframes": 4, "minimax_refs": 4 + 8 + 2 * 4}
    tokens = 8 + 3 * 4 + 2 * 8 + sum(count for name, count in referred.items() if name in task.given)
    assert kept[kind, site] == (tokens, H3["hidden_size"])


def test_predicted_outputs_are_close_to_computed_ones_in_both_streams(task, feb):
    model = task.build()
    plain, cached = template(task, model), template(task, feb(model, **MERGED)[0])
    video = 24 * 3 * 4 * 4
    for part in (slice(0, video), slice(video, None)):
        apart = ((cached - plain)[part].norm() / plain[part].norm()).item()
        assert 0 < apart < 0.5


def test_texts_of_different_lengths_keep_their_own_values_though_tokens_come_first(feb):
    """With a negative, that has another length, in a call of its own."""
    import comfy.samplers

    task, start = h3(), latent(h3())
    model = task.build()

    def sample(patched):
        guider = comfy.samplers.CFGGuider(patched)
        guider.set_conds(text(8), text(5))
        guider.set_cfg(3.0)
        sigmas = comfy.samplers.calculate_sigmas(patched.get_model_object("model_sampling"), "simple", 20)
        samples = guider.sample(start, start * 0, comfy.samplers.ksampler("euler"), sigmas, disable_pbar=True, seed=1)
        return torch.cat([part.flatten() for part in samples.unbind()])

    assert torch.equal(sample(feb(model, **NEVER)[0]), sample(model))
    for way in (MERGED, MERGED | {"fragile_interval": 2}):
        cached, mailbox = feb(model, **way)
        assert sample(cached).isfinite().all()
        assert mailbox.latest.demotions == ()
        assert mailbox.latest.restarts == 0
        assert not [note for note in mailbox.latest.notes if "shapes inside the model changed" in note]


def test_references_are_in_the_estimate_of_what_is_kept(pack, feb, monkeypatch):
    memory, found = sys.modules[f"{pack.__name__}.nodes.comfy.memory"], []
    foresee = memory.foresee
    monkeypatch.setattr(memory, "foresee", lambda *given: found.append(foresee(*given)) or found[-1])
    for task in TASKS.values():
        template(task, feb(task.build(), "auto")[0])
    text_only, frame, references = (forecast.footprint.merged for forecast in found)
    assert text_only < frame < references

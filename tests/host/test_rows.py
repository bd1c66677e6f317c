"""Rows of a model call: ComfyUI batches conditionings, or not, by free memory, and some models rearrange them."""

import pytest
import torch
from comfy_models import MIXED
from tiny import TINY, sampled

KEPT = MIXED | {"memory": 1.0}  # not the memory that is faked below


@pytest.fixture
def flipping(monkeypatch):
    """One evaluation in a batch, the next one conditioning by conditioning."""
    import comfy.model_management

    asked = []

    def free(*_):
        asked.append(0)
        return 0 if len(asked) % 3 else 1e12

    return lambda: monkeypatch.setattr(comfy.model_management, "get_free_memory", free)


def apart(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("name", ["cosmos", "stable_audio_3", "tripo_splat"])
def test_what_is_kept_of_a_row_is_found_again_in_a_batch_and_alone(name, feb, flipping):
    cached, mailbox = feb(TINY[name].build(), **KEPT)
    batched = sampled(TINY[name], cached, steps=12)
    flipping()
    assert apart(sampled(TINY[name], cached, steps=12), batched) < 1e-5
    assert mailbox.latest.shares["mlp"] < 1
    assert mailbox.latest.restarts == 0


def test_a_language_model_that_forgets_the_text_each_time_is_computed_and_says_so(feb, flipping):
    """HiDream-O1 keeps the keys and values of two texts; here are three, one of them in a batch."""
    model = TINY["hidream_o1"].build()
    plain = sampled(TINY["hidream_o1"], model, steps=12)
    cached, mailbox = feb(model, **KEPT)
    flipping()
    assert apart(sampled(TINY["hidream_o1"], cached, steps=12), plain) < 1e-5
    assert any("keys and values" in said for said in mailbox.latest.demotions)


def test_where_rows_pass_with_one_anothers_conditionings_they_are_for_their_batch_alone(feb, flipping):
    """Hunyuan3D 2.1 swaps the halves of a batch: what it keeps of a row alone belongs to another one of the batch."""
    model = TINY["hunyuan_3d_21"].build()
    plain = sampled(TINY["hunyuan_3d_21"], model, steps=12)
    cached, mailbox = feb(model, **KEPT)
    assert not torch.equal(sampled(TINY["hunyuan_3d_21"], cached, steps=12), plain)
    flipping()
    assert apart(sampled(TINY["hunyuan_3d_21"], cached, steps=12), plain) < 1e-5
    assert mailbox.latest.restarts > 0


def test_a_long_song_is_merged_and_each_of_its_parts_has_its_own_residual(feb, pack):
    import sys

    stack = sys.modules[f"{pack.__name__}.cache_core.mount.stack"].Stack
    passes = []
    drop = stack.drop

    def spy(self):
        passes.append(getattr(self, "passes", 0))
        drop(self)

    stack.drop = spy
    try:
        cached, mailbox = feb(TINY["minimax_music_long"].build(), "auto")
        assert sampled(TINY["minimax_music_long"], cached, steps=12).isfinite().all()
    finally:
        stack.drop = drop
    assert passes[-1] == 2
    assert mailbox.latest.demotions == ()
    assert mailbox.latest.shares["mlp"] < 0.9

"""Other packs' attention overrides and patches, beside the cache."""

import pytest
import torch
from toy import OVERRIDE, Bench, Double, Single, inputs, plan, toy, watch_work


class Yak(Single):
    """A block that only gets its kernel cached."""

    yak_mlp = True


CALLS = []  # of the override below: here, and not in its closure, so that it is a patch that keeps nothing


@pytest.fixture
def louder():
    """Options with an override that doubles the attention, and the list of its calls."""
    CALLS.clear()

    def override(kernel, *args, **kwargs):
        CALLS.append(kernel)
        return 2 * kernel(*args, **kwargs)

    return {OVERRIDE: override}, CALLS


@pytest.mark.parametrize("block", [Double, Single, Yak])
def test_an_override_that_is_there_already_runs_once_a_block_on_computed_steps(block, louder):
    options, calls = louder
    model = toy((block,) * 2, ()) if block is Double else toy((), (block,) * 2)
    bench = Bench(model, plan("##m", order=2))
    bench(*inputs(), options=options)
    calls.clear()
    computed = bench(*inputs(), options=options)
    assert len(calls) == 2
    assert torch.equal(computed, model(*inputs(), options))
    assert not torch.equal(computed, model(*inputs(), {}))


@pytest.mark.parametrize("block", [Double, Single, Yak])
def test_a_predicted_attention_is_the_overridden_one(block, louder):
    options, calls = louder
    bench = Bench(toy((block,), ()) if block is Double else toy((), (block,)), plan("#m"))
    computed = bench(*inputs(), options=options)
    calls.clear()
    torch.testing.assert_close(bench(*inputs(), options=options), computed, atol=1e-5, rtol=0)
    assert calls == []


def test_the_callers_options_are_left_as_they_are(louder):
    options, _ = louder
    before = dict(options)
    bench = Bench(toy(), plan("#m.a"))
    for _ in range(4):
        bench(*inputs(), options=options)
    assert options == before


class Scribbler(Single):
    """Writes into the options, as ComfyUI's models and other packs do."""

    def forward(self, *args, transformer_options, **kwargs):
        transformer_options["block"] = transformer_options.get("block", 0) + 1
        return super().forward(*args, transformer_options=transformer_options, **kwargs)


def test_the_check_of_the_mounts_does_not_show_in_options_that_blocks_write_to():
    options = {}
    Bench(toy((), (Scribbler,) * 3), plan("#a"))(*inputs(), options=options)
    assert options == {"block": 3}


@pytest.mark.parametrize("patch", ["attn1_patch", "attn1_output_patch"])
@pytest.mark.parametrize("block", [Double, Single, Yak])
def test_attention_is_computed_while_another_pack_looks_at_it(block, patch, monkeypatch):
    model = toy((block,), ()) if block is Double else toy((), (block,))
    bench = Bench(model, plan("#mm"))
    bench(*inputs())
    work = watch_work(model, monkeypatch)
    watched = bench(*inputs(1), options={"patches": {patch: [print]}})
    assert work["kernel"] == 1
    torch.testing.assert_close(watched, model(*inputs(1), {}), atol=1e-5, rtol=0)
    work.clear()
    bench(*inputs())
    assert work["kernel"] == 0


@pytest.mark.parametrize("block", [Double, Single])
def test_the_mlp_stays_cached_while_another_pack_looks_at_the_attention(block, monkeypatch):
    # Was wrong once (mount/block.py, _fault): attention that may not be skipped in this call counts as a site that is
    # never called, so a single block is demoted to its kernel, and then to nothing, for the whole run.
    model = toy((block,), ()) if block is Double else toy((), (block,))
    bench, options = Bench(model, plan("#.")), {"patches": {"attn1_patch": [print]}}
    computed = bench(*inputs(), options=options)
    work = watch_work(model, monkeypatch)
    torch.testing.assert_close(bench(*inputs(), options=options), computed, atol=1e-5, rtol=0)
    mlp = (
        ("double_blocks.0.img_mlp.0", "double_blocks.0.txt_mlp.2")
        if block is Double
        else ("single_blocks.0.linear1", "single_blocks.0.linear2")
    )
    assert all(work[layer] < 1 for layer in mlp)

"""Blocks that differ from what a mount expects: cached less, never wrong."""

import pytest
import torch
import torch.nn.functional as F
from toy import WIDE, WIDTH, Attention, Bench, Double, Single, attend, by_head, inputs, plan, rms, toy, watch_work

STATES = ["m", "a", "."]


class InlineNorm(Attention):
    """Norms q and k itself, by their full width."""

    def split(self, x):
        q, k, v = by_head(self.qkv(x))
        return rms(q), rms(k), v


class DoubleWithInlineNorm(Double):
    def __init__(self):
        super().__init__()
        self.img_attn, self.txt_attn = InlineNorm(), InlineNorm()


class SingleWithInlineActivation(Single):
    """Calls no `mlp_act`."""

    def forward(self, x, vec, pe, attn_mask=None, transformer_options=None):
        qkv, wide = self.linear1(x + vec).split([3 * WIDTH, WIDE], -1)
        q, k, v = by_head(qkv)
        mixed = attend(*self.norm(q, k, v), v, pe, attn_mask, transformer_options)
        x += self.linear2(torch.cat((mixed, F.gelu(wide)), -1)).mul_(vec)
        return x


class SingleWithInlineNorm(Single):
    """Calls no `norm`, and writes into what its first layer returns."""

    def forward(self, x, vec, pe, attn_mask=None, transformer_options=None):
        qkv, wide = self.linear1(x + vec).mul_(0.5).split([3 * WIDTH, WIDE], -1)
        q, k, v = by_head(qkv)
        mixed = attend(rms(q), rms(k), v, pe, attn_mask, transformer_options)
        x += self.linear2(torch.cat((mixed, self.mlp_act(wide)), -1)).mul_(vec)
        return x


class SingleWithValueResidual(Single):
    """Uses its values a second time, past its attention."""

    def forward(self, x, vec, pe, attn_mask=None, transformer_options=None):
        qkv, wide = self.linear1(x + vec).split([3 * WIDTH, WIDE], -1)
        q, k, v = by_head(qkv)
        mixed = attend(*self.norm(q, k, v), v, pe, attn_mask, transformer_options)
        x += self.linear2(torch.cat((mixed, self.mlp_act(wide)), -1)).mul_(vec) + qkv[..., -WIDTH:]
        return x


class DoubleWithRepeatedMlp(Double):
    """Runs its image's MLP twice, on different inputs."""

    def forward(self, img, *args, **kwargs):
        img += self.img_mlp(-img)
        return super().forward(img, *args, **kwargs)


class Yak(Single):
    """Says that its MLP is gated, as some of ComfyUI's blocks do."""

    def __init__(self):
        super().__init__()
        self.yak_mlp = True


def refuse(linear, x):
    raise TypeError("weights of type Packed cannot be sliced")


def repeat(bench, times):
    """The first output for a constant input, and the later ones."""
    first, *later = (bench(*inputs()) for _ in range(times))
    return first, later


@pytest.mark.parametrize("state", ["m", "."])
def test_a_double_block_that_bypasses_its_norm_keeps_its_attention_kernel(state):
    bench = Bench(toy((DoubleWithInlineNorm,) * 2, ()), plan(f"#{state}{state}"))
    first, later = repeat(bench, 3)
    assert len(bench.run.demotions) == 1
    assert "only the attention kernel is" in bench.run.demotions[0]
    assert "DoubleWithInlineNorm" in bench.run.demotions[0]
    for output in later:
        torch.testing.assert_close(output, first, atol=1e-5, rtol=0)


@pytest.mark.parametrize("state", ["a", "a."])
@pytest.mark.parametrize("block", [SingleWithInlineActivation, SingleWithInlineNorm])
def test_a_single_block_that_bypasses_a_leaf_keeps_its_attention_kernel(block, state):
    model = toy((), (block,) * 2)
    wanted = model(*inputs(), {})
    bench = Bench(model, plan(f"#{state}#{state}"))
    first, later = repeat(bench, 5)
    assert torch.equal(first, wanted)
    for output in later:
        torch.testing.assert_close(output, wanted, atol=1e-5, rtol=0)
    if block is SingleWithInlineActivation:
        assert len(bench.run.demotions) == 1
        assert "attention and mlp cannot be predicted, only the attention kernel is" in bench.run.demotions[0]


@pytest.mark.parametrize("state", ["m", "."])
def test_a_single_block_that_uses_a_skipped_value_elsewhere_keeps_its_attention_kernel(state):
    # Was wrong once (mount/fused.py, project_in): new_empty hands the check the memory of the call before, in which the
    # right values still are.
    bench = Bench(toy((), (SingleWithValueResidual,) * 2), plan(f"#{state}"))
    first, later = repeat(bench, 2)
    assert len(bench.run.demotions) == 1
    assert "attention and mlp cannot be predicted, only the attention kernel is" in bench.run.demotions[0]
    torch.testing.assert_close(later[0], first, atol=1e-5, rtol=0)


def test_an_mlp_that_a_block_runs_twice_is_computed():
    bench = Bench(toy((DoubleWithRepeatedMlp,) * 2, ()), plan("#."))
    bench(*inputs())
    kept = len(list(bench.run.store.tensors()))
    assert len(bench.run.demotions) == 1
    assert "mlp cannot be predicted, it is computed" in bench.run.demotions[0]
    assert kept == 2 * 2  # the attention of two streams in two blocks


@pytest.mark.parametrize("state", STATES)
def test_a_gated_mlp_is_left_to_its_block(state):
    bench = Bench(toy((), (Yak, Yak)), plan(f"#{state}"))
    first, later = repeat(bench, 2)
    assert len(bench.run.demotions) == 1
    assert "gated" in bench.run.demotions[0]
    assert "only the attention kernel is" in bench.run.demotions[0]
    torch.testing.assert_close(later[0], first, atol=1e-5, rtol=0)


@pytest.mark.parametrize("state", STATES)
def test_weights_that_cannot_be_sliced_are_left_to_their_layers(state):
    bench = Bench(toy((), (Single, Single)), plan(f"#{state}"), read=refuse)
    first, later = repeat(bench, 2)
    assert len(bench.run.demotions) == 1
    assert "Packed" in bench.run.demotions[0]
    assert "only the attention kernel is" in bench.run.demotions[0]
    torch.testing.assert_close(later[0], first, atol=1e-5, rtol=0)


def test_a_block_with_only_its_kernel_cached_is_exact_on_the_same_input():
    bench = Bench(toy((), (Yak,)), plan("#m"))
    first, later = repeat(bench, 2)
    assert torch.equal(later[0], first)
    assert len(list(bench.run.store.tensors())) == 1


def test_a_cached_kernel_is_not_run(monkeypatch):
    bench = Bench(model := toy((), (Yak,)), plan("#ma"))
    bench(*inputs())
    work, runs = watch_work(model, monkeypatch), []
    for _ in "ma":
        bench(*inputs())
        runs.append(work.pop("kernel", 0))
    assert runs == [0, 1]


def test_a_sound_block_beside_a_demoted_one_keeps_all_its_sites():
    model = toy((Double,), (SingleWithInlineActivation, Single))
    bench = Bench(model, plan("#a."))
    first, later = repeat(bench, 3)
    assert [d.split(" ")[0] for d in bench.run.demotions] == ["SingleWithInlineActivation"]
    for output in later:
        torch.testing.assert_close(output, first, atol=1e-5, rtol=0)
    assert (
        len(list(bench.run.store.tensors())) == 2 + 2 + 1 + 2
    )  # double: attention and MLP of two streams; kernel; both shares

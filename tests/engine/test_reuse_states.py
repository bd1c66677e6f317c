"""The four states of a block: right on an input seen before, and cheaper."""

from fractions import Fraction

import pytest
import torch
from toy import WIDE, WIDTH, Bench, Double, Single, flux_inputs, inputs, plan, small_flux, toy, watch_work

from cache_core import Plan, TwoStage

MODELS = {
    "toy double": lambda: (toy(single=()), inputs()),
    "toy single": lambda: (toy(double=()), inputs()),
    "FLUX double": lambda: (small_flux(depth=2, depth_single=0), flux_inputs()),
    "FLUX single": lambda: (small_flux(depth=0), flux_inputs()),
}
MLP_ROWS = Fraction(WIDE, 3 * WIDTH + WIDE)  # of the fused first layer
MLP_COLUMNS = Fraction(WIDE, WIDTH + WIDE)  # of the fused last layer


@pytest.mark.parametrize("state", ["m", "a", "."])
@pytest.mark.parametrize("name", MODELS)
def test_each_state_repeats_the_computed_output_on_the_same_input(name, state):
    model, given = MODELS[name]()
    bench = Bench(model, plan(f"#{state}#{state}{state}"))
    computed, *repeated = (bench(*given) for _ in range(5))
    for again in repeated:
        torch.testing.assert_close(again, computed, atol=1e-5, rtol=0)
    assert bench.run.demotions == []


@pytest.mark.parametrize("state", ["m", "a", "."])
@pytest.mark.parametrize("name", MODELS)
def test_each_state_uses_old_values_on_a_new_input(name, state):
    model, (x, *rest) = MODELS[name]()
    bench = Bench(model, plan(f"#{state}"))
    bench(x, *rest)
    assert not torch.allclose(bench(-x, *rest), model(-x, *rest, {}), atol=1e-4)


def work_of_state(model, state, monkeypatch):
    bench = Bench(model, plan(f"#{state}"))
    bench(*inputs())
    work = watch_work(model, monkeypatch)
    bench(*inputs())
    return {
        name.removeprefix("double_blocks.0.").removeprefix("single_blocks.0."): share
        for name, share in work.items()
        if name != "time"
    }


ATTENTION_LAYERS = {f"{stream}_attn.{leaf}": 1 for stream in ("img", "txt") for leaf in ("qkv", "proj")} | {"kernel": 1}
MLP_LAYERS = {f"{stream}_mlp.{leaf}": 1 for stream in ("img", "txt") for leaf in (0, 2)}


@pytest.mark.parametrize(
    ("state", "layers"), [("#", ATTENTION_LAYERS | MLP_LAYERS), ("a", ATTENTION_LAYERS), ("m", MLP_LAYERS), (".", {})]
)
def test_a_double_block_runs_only_the_layers_that_its_state_computes(state, layers, monkeypatch):
    assert work_of_state(toy((Double,), ()), state, monkeypatch) == layers


@pytest.mark.parametrize(
    ("state", "layers"),
    [
        ("#", {"linear1": 1, "kernel": 1, "linear2": 1}),
        ("a", {"linear1": 1 - MLP_ROWS, "kernel": 1, "linear2": 1 - MLP_COLUMNS}),
        ("m", {"linear1": MLP_ROWS, "linear2": MLP_COLUMNS}),
        (".", {}),
    ],
)
def test_a_single_block_uses_only_the_rows_and_columns_that_its_state_computes(state, layers, monkeypatch):
    assert work_of_state(toy((), (Single,)), state, monkeypatch) == layers


def test_telling_the_shares_of_a_kept_single_block_apart_costs_one_product_with_the_attention_columns(monkeypatch):
    bench = Bench(model := toy((), (Single,)), plan("##.", order=2))
    bench(*inputs())
    work = watch_work(model, monkeypatch)
    bench(*inputs())
    assert work["single_blocks.0.linear2"] == 1 + (1 - MLP_COLUMNS)
    assert work["single_blocks.0.linear1"] == 1


@pytest.mark.parametrize(("marks", "again"), [("#a.", slice(0, 2)), ("#m.", slice(1, 3))])
def test_a_share_is_the_same_beside_a_computed_and_beside_a_predicted_one(marks, again):
    bench = Bench(toy((), (Single,)), plan(marks, order=2))
    bench(*inputs())
    bench(*inputs())
    # attention's, then the MLP's: two of the kind that the second step computes too
    kept = list(bench.run.store.tensors())
    assert len(kept) == 3
    beside_predicted, beside_computed = kept[again]
    torch.testing.assert_close(beside_predicted, beside_computed, atol=1e-5, rtol=0)


def test_the_shares_of_a_fused_layer_sum_to_its_output():
    model, outputs = toy((), (Single,)), []
    hook = model.single_blocks[0].linear2.register_forward_hook(lambda _, given, out: outputs.append(out.clone()))
    model(*inputs(), {})
    hook.remove()
    bench = Bench(model, plan("#."))
    bench(*inputs())
    attention, mlp = bench.run.store.tensors()
    torch.testing.assert_close(attention + mlp, outputs[0], atol=1e-5, rtol=0)


def test_a_two_stage_run_of_every_state_stays_exact_on_a_constant_input():
    bench = Bench(toy(), Plan(TwoStage(3, 3, 2)), steps=12)
    outputs = [bench(*inputs()) for _ in range(12)]
    assert {str(sorted(k.value for k in e.predicted)) for e in bench.run.evaluations} == {
        "[]",
        "['attention']",
        "['mlp']",
        "['attention', 'mlp']",
    }
    for output in outputs[1:]:
        torch.testing.assert_close(output, outputs[0], atol=1e-5, rtol=0)

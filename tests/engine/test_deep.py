"""The deep part of a U-Net as one site."""

from dataclasses import replace

import pytest
import torch
from toy import Bench, measured, plan
from toy_unet import WIDTH, Up, toy_unet, watch_layers

from cache_core import MODULES, HostError, Kind
from cache_core.hosts import lists_of, match, merging
from cache_core.hosts.unet import UNET
from cache_core.mount import footprint
from cache_core.run.rung_choice import RungChoice
from cache_core.site import Range
from cache_core.store import Budget

SIZE = 8
LAYERS = 4 + 2 + 8


def given(seed=0, control=None, batch=1, size=SIZE):
    chance = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, WIDTH, size, size, generator=chance)
    return x, torch.rand(batch, generator=chance), None, None, control


def bench(model, marks, first=1):
    ranges = () if first == 1 else (Range("input_blocks", first, 4),)
    made = Bench(model, replace(plan(marks, merge=True), ranges=ranges), host=UNET)
    made.run.measured.open = False
    return made


def control(seed=5, blocks=(4, 1, 4)):
    """Residuals of each block, the first block's last."""
    chance = torch.Generator().manual_seed(seed)
    sizes = {"input": (SIZE, SIZE, 4, 4), "middle": (4,), "output": (SIZE, SIZE, 4, 4)}
    return {
        name: [torch.randn(1, WIDTH, s, s, generator=chance) for s in sizes[name]][::order]
        for name, order in (("input", -1), ("middle", 1), ("output", 1))
    }


def outputs(model, place, *args, options=None):
    """What the block up at `place` returns in an uncached call."""
    found = []
    layer = model.output_blocks[place][-1]
    handle = layer.register_forward_hook(lambda m, a, out: found.append(out.clone()))
    model(*args, {} if options is None else options)
    handle.remove()
    return found[0]


def test_a_computed_call_is_untouched_and_its_deep_output_is_kept():
    model = toy_unet()
    made = bench(model, "#.")
    assert torch.equal(made(*given()), model(*given(), {}))
    ((kind, site, _),) = made.run.store
    assert (kind, site) == (Kind.BLOCKS, "input_blocks.1")
    kept = made.run.store[next(iter(made.run.store))].combine((1,))
    assert torch.equal(kept, outputs(model, 2, *given()))
    assert "forward" not in vars(model) | vars(model.output_blocks[2][-1])


@pytest.mark.parametrize("first", [1, 2, 3])
def test_reused_at_the_same_input_the_output_is_the_same(first):
    model = toy_unet()
    made = bench(model, "#.", first)
    plain = made(*given())
    assert torch.equal(made(*given()), plain)
    assert made.run.evaluation.predicted_calls[Kind.BLOCKS] == 1


@pytest.mark.parametrize(
    ("first", "ran"),
    [
        (1, ["input_blocks.0.0", "out", "output_blocks.3.0"]),
        (2, ["input_blocks.0.0", "input_blocks.1.0", "out", "output_blocks.2.0", "output_blocks.3.0"]),
        (
            3,
            ["input_blocks.0.0", "input_blocks.1.0", "input_blocks.2.0.op", "out"]
            + [f"output_blocks.{i}.0" for i in (1, 2, 3)]
            + ["output_blocks.1.1.conv"],
        ),
    ],
)
def test_only_the_blocks_above_the_deep_part_run_in_a_predicted_call(first, ran, monkeypatch):
    model = toy_unet()
    made = bench(model, "#.", first)
    made(*given())
    work = watch_layers(model, monkeypatch)
    made(*given(1))
    assert sorted(work.elements()) == sorted(ran)
    skipped = LAYERS - sum(name.count(".") > 0 for name in ran) - 1 * first  # and the activations of the blocks up
    skipped += first == 3  # whose block up has an Up in place of an activation
    assert made.run.evaluation.predicted_calls[Kind.MLP] == skipped


def test_a_predicted_call_reads_the_kept_output_beside_the_new_one_of_the_first_block():
    model = toy_unet()
    made = bench(model, "#.")
    made(*given())
    deep = outputs(model, 2, *given())
    x, t, *_ = given(1)
    first = model.input_blocks[0](x + model.time_embed(t[:, None])[:, :, None, None])
    wanted = model.out(model.output_blocks[3](torch.cat((deep, first), 1)))
    assert torch.equal(made(*given(1)), wanted)


def test_controlnet_reaches_the_blocks_that_run_and_no_others():
    model, made = toy_unet(), bench(toy_unet(), "#.")
    made(*given(control=control()))
    deep = outputs(model, 2, *given(control=control()))
    x, t, *_ = given(1)
    residuals = control(6)
    first = model.input_blocks[0](x + model.time_embed(t[:, None])[:, :, None, None]) + residuals["input"][-1]
    skip = first + residuals["output"][0]
    wanted = model.out(model.output_blocks[3](torch.cat((deep, skip), 1)))
    assert torch.equal(made(*given(1, control(6))), wanted)


def patched(seen):
    def into(h, options):
        seen.append(options["block"])
        return h + 1

    def outof(h, skip, options):
        seen.append(options["block"])
        return h * 2, skip

    def layer(own, h, emb, context, options, size):
        seen.append((*options["block"], "layer"))
        return own(h, size)

    handlers = {
        "input_block_patch": [into],
        "output_block_patch": [outof],
        "forward_timestep_embed_patch": [(Up, layer)],
    }
    return {"patches": handlers}


def test_patches_of_others_see_the_blocks_that_run():
    seen = []
    made = bench(toy_unet(), "#.", 3)
    made(*given(), options=patched(seen))
    assert len(seen) == 9
    seen.clear()
    options = patched(seen)
    before = dict(options["patches"])
    made(*given(1), options=options)
    ran = [("input", i) for i in range(3)] + [("output", 1), ("output", 1, "layer"), ("output", 2), ("output", 3)]
    assert seen == ran
    assert options["patches"] == before


def test_skipped_layers_are_not_patched_either():
    seen, made = [], bench(toy_unet(), "#.")
    made(*given(), options=patched(seen))
    seen.clear()
    made(*given(1), options=patched(seen))
    assert seen == [("input", 0), ("output", 3)]


def shrunk(h, options):
    return h[..., ::2, ::2] if options["block"] == ("input", 0) else h


def test_a_value_of_another_size_is_not_used():
    """Deep Shrink makes the picture smaller inside at some steps: the kept value does not fit there."""
    model, made = toy_unet(), bench(toy_unet(), "#..")
    made(*given(control=control()))
    options = {"patches": {"input_block_patch": [shrunk]}}
    small = {name: [r[..., ::2, ::2] for r in own] for name, own in control(6).items()}
    small["input"][-1] = control(6)["input"][-1]
    again = {name: list(own) for name, own in small.items()}
    plain = model(*given(1, again), options)
    assert torch.equal(made(*given(1, small), options=options), plain)
    evaluation = made.run.evaluation
    assert evaluation.predicted_calls[Kind.BLOCKS] == evaluation.predicted_calls[Kind.MLP] == 0
    assert any("shapes inside the model changed" in note for note in made.run.notes)


def test_a_patch_that_keeps_something_for_later_blocks_ends_reuse():
    made = bench(toy_unet(), "##.")
    for seed in range(3):
        made(*given(seed), options={"patches": {"middle_block_after_patch": [lambda given: given]}})
    assert made.run.evaluation.predicted_calls[Kind.MLP] == 0
    assert "input_blocks" in made.run.demotions[0]


def test_each_conditioning_of_a_batch_has_a_value_of_its_own():
    model = toy_unet()
    made = bench(model, "#.")
    x, t, *_ = given(batch=2)
    made(x, t, conditionings=("one", "other"))
    alone = bench(model, "#.")
    alone(x[1:], t[1:], conditionings=("other",))
    later, time, *_ = given(1, batch=2)
    torch.testing.assert_close(
        made(later, time, conditionings=("one", "other"))[1:], alone(later[1:], time[1:], conditionings=("other",))
    )


class Twice(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *given):
        return self.model(*given) + self.model(*given)


def test_a_model_that_runs_its_blocks_twice_in_a_call_is_computed():
    model = toy_unet()
    made = bench(model, "##.")
    made.model = Twice(model)
    for seed in range(3):
        assert torch.equal(made(*given(seed)), 2 * model(*given(seed), {}))
    assert "2 times in a call" in made.run.demotions[0]


@pytest.mark.parametrize(("first", "cells"), [(1, 64), (2, 64), (3, 16)])
def test_the_foreseen_bytes_are_the_kept_ones(first, cells):
    model = toy_unet()
    made = bench(model, "#.", first)
    foreseen = footprint(model, UNET, made.run.table, SIZE * SIZE, 0, 4, made.run.agenda.ranges)
    assert foreseen.merged == foreseen.whole == 4 * WIDTH * cells
    choice = RungChoice(made.run, foreseen)
    choice.allow(torch.device("cpu"), Budget())
    made(*given())
    assert choice.seen().merged == measured(made.run.store)[0] == foreseen.merged


def test_feb_cache_refuses_a_u_net_and_methods_find_it():
    model = toy_unet()
    with pytest.raises(HostError, match="no attention and MLP that FEB-Cache knows"):
        match(model)
    assert merging(model) is UNET
    assert lists_of(model, UNET) == (("input_blocks", 4),)


def test_ranges_that_name_no_block_of_it_compute_everything():
    model = toy_unet()
    made = Bench(model, replace(plan("#.", merge=True), ranges=(Range("blocks", 0, 3),)), host=UNET)
    for seed in range(2):
        assert torch.equal(made(*given(seed)), model(*given(seed), {}))
    assert made.run.agenda.barred >= MODULES

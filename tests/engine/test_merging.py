"""Lists of blocks as one site: what a list adds to its streams."""

from dataclasses import replace

import pytest
import torch
from residuals import STREAMS, by_hand, merged, residuals
from toy import Bench, Single, flux_inputs, inputs, plan, small_flux, toy, watch_work

from cache_core import MODULES, OUTPUT, Extrapolation, Kind
from cache_core.hosts import match
from cache_core.store import Rung
from lab.sample import flow_sigmas, noise_of, sample

SITES = {Kind.ATTENTION: 2 * 2 + 2, Kind.MLP: 2 * 2 + 2}  # of two double blocks and two single ones


def kept(run, stream=1):
    return {
        site: run.store[key].combine((1,))
        for key in run.store
        for kind, site, number in [key]
        if kind is Kind.BLOCKS and number == stream
    }


@pytest.mark.parametrize(
    ("make", "given"), [(toy, inputs), (small_flux, flux_inputs)], ids=["in place", "not in place"]
)
def test_a_residual_is_the_last_output_less_the_first_input(make, given):
    model = make()
    wanted = residuals(model, *given())
    bench = Bench(model, merged("#."))
    assert torch.equal(bench(*given()), model(*given(), {}))
    assert kept(bench.run).keys() == wanted.keys() == set(STREAMS)
    for site, value in kept(bench.run).items():
        assert torch.equal(value, wanted[site]), site


def test_a_predicted_list_adds_its_residual_to_the_new_input():
    model, (x, t, text) = toy(), inputs(1)
    added = residuals(model, *inputs(0))
    bench = Bench(model, merged("#."))
    bench(*inputs(0))
    assert torch.equal(bench(x, t, text), by_hand(x, text, added))
    assert bench.run.demotions == []


def test_residuals_are_extrapolated_like_any_site():
    model, (x, t, text) = toy(), inputs(2)
    past = [residuals(model, *inputs(seed)) for seed in (1, 0)]
    bench = Bench(model, merged("##.", order=2))
    for seed in (0, 1):
        bench(*inputs(seed))
    sigmas = flow_sigmas(10)
    newer, older = Extrapolation(order=2).weights((sigmas[1], sigmas[0]), sigmas[2])
    wanted = by_hand(x, text, {site: newer * past[0][site] + older * past[1][site] for site in STREAMS})
    torch.testing.assert_close(bench(x, t, text), wanted, atol=1e-5, rtol=1e-5)


def test_no_block_runs_in_a_predicted_call(monkeypatch):
    bench = Bench(model := toy(), merged("#."))
    bench(*inputs())
    work = watch_work(model, monkeypatch)
    bench(*inputs())
    assert work == {"time": 1}


def test_batched_and_split_conditionings_give_the_same_picture():
    given = small_flux(), noise_of([3], (4, 4, 4)), torch.tensor([5]), flow_sigmas(10), (merged("##.#..#.", order=2),)
    batched, told = sample(*given, guidance=2.0)
    split, _ = sample(*given, guidance=2.0, split=True)
    torch.testing.assert_close(split, batched, atol=3e-6, rtol=0)
    assert told.store == str(Rung(merged=True))
    assert told.shares == {"attention": 0.6, "mlp": 0.6}


def test_each_conditioning_of_a_batch_has_residuals_of_its_own():
    model, (x, t, text) = toy(), inputs(0, batch=2)
    bench = Bench(model, merged("#."))
    bench(x, t, text, conditionings=("a", "b"))
    for row in (0, 1):
        wanted = residuals(model, *(part[row : row + 1] for part in (x, t, text)))
        for site, value in kept(bench.run, stream=1 + row).items():
            torch.testing.assert_close(value, wanted[site], atol=1e-6, rtol=1e-5)
    swapped = bench(x.flip(0), t.flip(0), text.flip(0), conditionings=("b", "a"))
    torch.testing.assert_close(swapped.flip(0), model(x, t, text, {}), atol=1e-5, rtol=0)


def test_another_shape_starts_the_residuals_of_its_conditioning_anew():
    bench, (x, t, text) = Bench(model := toy(), merged("#...")), inputs()
    bench(x, t, text)
    assert torch.equal(bench(x[:, :2], t, text), model(x[:, :2], t, text, {}))
    torch.testing.assert_close(bench(x[:, :2], t, text), model(x[:, :2], t, text, {}), atol=1e-5, rtol=0)
    assert (bench.run.restarts, len(list(bench.run.store))) == (1, len(STREAMS))


def controlled(model, control):
    """Adds `control["img"]` before the second double block, as ControlNet does, and `control["x"]` before the second
    single one."""

    def add(_, args, kwargs):
        if "img" in kwargs:
            return args, {**kwargs, "img": kwargs["img"] + control["img"]}
        return (args[0] + control["x"], *args[1:]), kwargs

    for blocks in (model.double_blocks, model.single_blocks):
        blocks[1].register_forward_pre_hook(add, with_kwargs=True)
    return model


def test_what_controlnet_adds_between_blocks_is_added_anew_at_predicted_steps():
    control = {"img": inputs(5)[0], "x": torch.cat(inputs(6)[::2], 1)}
    model, (x, t, text) = controlled(toy(), control), inputs(1)
    past = residuals(model, *inputs(0))
    past["double_blocks.img"] -= control["img"]
    past["single_blocks.x"] -= control["x"]
    bench = Bench(model, merged("#.."))
    bench(*inputs(0))
    for scale in (1.0, -0.5):
        control["img"] *= scale
        control["x"] *= scale
        added = {
            **past,
            "double_blocks.img": past["double_blocks.img"] + control["img"],
            "single_blocks.x": past["single_blocks.x"] + control["x"],
        }
        torch.testing.assert_close(bench(x, t, text), by_hand(x, text, added), atol=1e-5, rtol=1e-5)
    assert bench.run.demotions == []


@pytest.mark.parametrize("patch", ["double_block", "single_block"])
def test_lists_whose_streams_another_pack_edits_keep_every_site_and_say_so(patch):
    bench, options = Bench(model := toy(), merged("#.#.")), {"patches": {patch: [print]}}
    outputs = [(bench(*inputs(seed), options=options), model(*inputs(seed), {})) for seed in range(4)]
    assert [torch.equal(got, computed) for got, computed in outputs] == [True, False, True, False]
    reason = "another node edits its streams between the blocks"
    assert bench.run.demotions == [
        f"{path} ({reason}): every output is kept" for path in ("double_blocks", "single_blocks")
    ]
    assert {kind for kind, *_ in bench.run.store} == MODULES
    assert bench.run.evaluation.predicted_calls == SITES


def test_a_list_that_another_pack_edits_from_some_step_on_is_computed_there():
    bench = Bench(model := toy(), merged("#..."))
    bench(*inputs(0))
    assert torch.equal(bench(*inputs(1), options={"patches": {"double_block": [print]}}), model(*inputs(1), {}))


def test_a_merged_run_whose_attention_is_barred_computes_and_keeps_nothing():
    bench = Bench(model := toy(), merged("#...#."))
    bench(*inputs(0))
    bench.run.bar({Kind.ATTENTION}, "somebody looks at it")
    for seed in range(1, 6):
        assert torch.equal(bench(*inputs(seed)), model(*inputs(seed), {}))
        assert list(bench.run.store) == []


class Shortening(Single):
    """Returns fewer tokens than it gets."""

    def forward(self, x, *args, **kwargs):
        return super().forward(x, *args, **kwargs)[:, 1:].clone()


def test_a_list_that_does_not_return_what_it_is_given_keeps_every_site_and_the_other_stays_merged():
    bench = Bench(model := toy(single=(Single, Shortening)), merged("#.#."))
    outputs = [bench(*inputs()) for _ in range(4)]
    assert bench.run.demotions == ["single_blocks (its blocks do not return what they are given): every output is kept"]
    for output in outputs:
        torch.testing.assert_close(output, model(*inputs(), {}), atol=1e-5, rtol=0)
    assert {kind: site.startswith("double") for kind, site, _ in bench.run.store} == {
        Kind.BLOCKS: True,
        Kind.ATTENTION: False,
        Kind.MLP: False,
    }


def test_a_list_that_carries_nothing_keeps_its_sites_beside_a_merged_one():
    model = toy()
    double, single = match(model).blocks
    bench = Bench(model, merged("#."), host=replace(match(model), blocks=(double, replace(single, carries=()))))
    first, again = bench(*inputs()), bench(*inputs())
    torch.testing.assert_close(again, first, atol=1e-5, rtol=0)
    found = [(kind, site.split(".")[0]) for kind, site, _ in bench.run.store]
    assert found.count((Kind.BLOCKS, "double_blocks")) == 2
    assert found.count((Kind.ATTENTION, "single_blocks")) == found.count((Kind.MLP, "single_blocks")) == 2
    assert len(found) == 6
    assert bench.run.evaluation.predicted_calls == {**SITES, Kind.BLOCKS: 2}


def test_merged_blocks_under_a_predicted_model_rest():
    bench = Bench(model := toy(), merged("#."), plan("#.##", OUTPUT))
    outputs = [(bench(*inputs(seed)), model(*inputs(seed), {})) for seed in range(5)]
    assert [torch.equal(got, computed) for got, computed in outputs] == [True, False, False, True, True]
    assert [dict(e.predicted_calls) for e in bench.run.evaluations[1:3]] == [
        {Kind.MODEL: 1},
        {**SITES, Kind.BLOCKS: len(STREAMS)},
    ]

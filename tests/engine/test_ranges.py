"""Plans for some of the blocks: the others run at every step."""

from dataclasses import replace

import pytest
import torch
from residuals import by_hand, merged
from toy import Bench, Double, Single, flux_inputs, inputs, measured, small_flux, toy

from cache_core import MODULES, OUTPUT, ConfigError, Kind, Plan, Steps
from cache_core.hosts import match
from cache_core.mount import footprint
from cache_core.run.rung_choice import RungChoice
from cache_core.site import Range, within
from cache_core.store import Budget

WHOLE = (Range("double_blocks", 0, 3), Range("single_blocks", 0, 3))
SHAPES = 8 * 4  # bytes of a token's features


def ranged(marks, *ranges, order=1):
    return replace(merged(marks, order), ranges=ranges)


def three():
    return toy((Double,) * 3, (Single,) * 3)


def streams(model, *given):
    """The streams before and after each block of an uncached call, by list and place."""
    found, hooks = {}, []
    for name in ("double_blocks", "single_blocks"):
        for place, block in enumerate(getattr(model, name)):

            def enter(block, args, kwargs, key=(name, place)):
                given = (kwargs["img"], kwargs["txt"]) if "img" in kwargs else args[:1]
                found[key] = [[x.clone() for x in given]]

            def leave(block, args, out, key=(name, place)):
                found[key].append([x.clone() for x in (out if isinstance(out, tuple) else (out,))])

            hooks += [
                block.register_forward_pre_hook(enter, with_kwargs=True),
                block.register_forward_hook(leave),
            ]
    model(*given, {})
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize(("make", "given"), [(three, inputs), (small_flux, flux_inputs)], ids=["toy", "FLUX"])
@pytest.mark.parametrize("order", [1, 2])
def test_ranges_of_all_blocks_are_bit_identical_with_none(make, given, order):
    marks = "##.#..#."
    one, other = Bench(make(), merged(marks, order)), Bench(make(), ranged(marks, *WHOLE, order=order))
    for step in range(len(marks)):
        arguments = given(step) if given is inputs else given()
        assert torch.equal(one(*arguments), other(*arguments)), step
        assert one.run.evaluation.predicted_calls == other.run.evaluation.predicted_calls


def test_behind_the_first_block_all_is_reused():
    """FBCache: the first block is computed, the residuals of all others are added."""
    model = three()
    before = streams(model, *inputs(0))
    bench = Bench(model, ranged("#.", Range("double_blocks", 1, 3), Range("single_blocks", 0, 3)))
    bench(*inputs(0))
    (image, text), (image_out, text_out) = before["double_blocks", 1][0], before["double_blocks", 2][1]
    added = {
        "double_blocks.img": image_out - image,
        "double_blocks.txt": text_out - text,
        "single_blocks.x": before["single_blocks", 2][1][0] - before["single_blocks", 0][0][0],
    }
    now = streams(model, *inputs(1))["double_blocks", 0][1]
    assert torch.equal(bench(*inputs(1)), by_hand(*now, added))


def test_several_ranges_of_a_list_have_residuals_of_their_own():
    model = toy((Double,), (Single,) * 6)
    first, second = Range("single_blocks", 1, 3), Range("single_blocks", 4, 5)
    before = streams(model, *inputs(0))
    bench = Bench(model, ranged("#.", second, first))
    bench(*inputs(0))
    kept = {site: bench.run.store[(kind, site, stream)].combine((1,)) for kind, site, stream in bench.run.store}
    assert kept.keys() == {"single_blocks.1-2.x", "single_blocks.4-4.x"}
    for (start, last), site in zip(((1, 2), (4, 4)), sorted(kept), strict=True):
        wanted = before["single_blocks", last][1][0] - before["single_blocks", start][0][0]
        assert torch.equal(kept[site], wanted), site


def test_reused_at_the_same_input_little_changes():
    model = three()
    bench = Bench(model, ranged("#.", Range("double_blocks", 1, 2), Range("single_blocks", 0, 2)))
    plain = bench(*inputs())
    torch.testing.assert_close(bench(*inputs()), plain)
    assert bench.run.evaluation.predicted_calls[Kind.BLOCKS] == 3


def test_blocks_that_always_run_count_as_computed():
    model = three()
    bench = Bench(model, ranged("#.", Range("double_blocks", 1, 3)))
    for seed in range(2):
        bench(*inputs(seed))
    assert bench.run.sites[Kind.MLP] == 3 * 2 + 3
    assert bench.run.evaluation.predicted_calls[Kind.MLP] == 4


def test_ranges_that_name_no_block_say_so_and_compute():
    model = three()
    bench = Bench(model, ranged("#.", Range("blocks", 0, 9)))
    for seed in range(2):
        assert torch.equal(bench(*inputs(seed)), model(*inputs(seed), {}))
    assert "name no block" in bench.run.demotions[0]


def test_a_range_whose_list_cannot_be_merged_reuses_its_own_sites_only():
    model = three()
    bench = Bench(model, ranged("##..", Range("double_blocks", 1, 3)))
    for found in bench.mounts.lists:
        found.stack.give_up("for the test")
    for seed in range(2):
        assert torch.equal(bench(*inputs(seed)), model(*inputs(seed), {}))
    bench(*inputs(2))
    assert bench.run.evaluation.predicted_calls[Kind.MLP] == 4
    assert {key[1].split(".")[1] for key in bench.run.store} <= {"1", "2"}


def test_the_foreseen_bytes_are_the_kept_ones():
    model = toy((Double,) * 2, (Single,) * 6)
    plan = ranged("#.", Range("double_blocks", 1, 2), Range("single_blocks", 0, 2), Range("single_blocks", 3, 6))
    bench = Bench(model, plan)
    foreseen = footprint(model, match(model), bench.run.table, 5, 3, 4, plan.ranges)
    choice = RungChoice(bench.run, foreseen)
    choice.allow(torch.device("cpu"), Budget())
    bench(*inputs())
    assert foreseen.merged == choice.seen().merged == measured(bench.run.store)[0] == 3 * (5 + 3) * SHAPES


def test_where_ranges_meet_or_end():
    assert within((), "a", 4) == [range(4)]
    assert within((Range("a", 2, 9), Range("b", 0, 1), Range("a", 0, 1)), "a", 4) == [range(1), range(2, 4)]
    assert within((Range("b", 0, 1),), "a", 4) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule": Steps(MODULES, (0,)), "merge": False},
        {"schedule": Steps(OUTPUT, (0,)), "merge": True},
        {"schedule": Steps(frozenset({Kind.MLP}), (0,)), "merge": True},
    ],
)
def test_ranges_are_for_merged_blocks(wrong):
    with pytest.raises(ConfigError, match="merged"):
        Plan(**wrong, ranges=(Range("a", 0, 1),))


def test_ranges_do_not_overlap():
    with pytest.raises(ConfigError, match="overlap, at block 2"):
        ranged("#.", Range("a", 0, 3), Range("a", 2, 4))

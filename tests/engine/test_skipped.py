"""Lists of blocks as one site, in calls of the model that leave some of the blocks out."""

from functools import partial

import pytest
import torch
from residuals import by_hand, merged, residuals
from toy import Bench, inputs, toy

from cache_core.run.engine import evaluate


def guided(bench, seed, skipped, with_second=True):
    """An evaluation of the conditioning "cond", and of "skip" in a call that leaves blocks out."""
    bench.run.begin(next(bench.sigmas))
    calls = (("cond", {}), ("skip", {"skipped": skipped}))[: 1 + with_second]
    return [
        evaluate(bench.run, (name,), "shape", partial(bench.model, *inputs(seed), options), bench.mounts)
        for name, options in calls
    ]


@pytest.mark.parametrize(
    "skipped", [[("double", 0)], [("double", 1)], [("single", 0)], [("double", 0), ("single", 1)]], ids=str
)
def test_blocks_skipped_in_one_call_leave_other_conditionings_alone(skipped):
    with_both, alone = Bench(toy(), merged("#.#.")), Bench(toy(), merged("#.#."))
    for seed in range(4):
        cond, skip = guided(with_both, seed, skipped)
        assert torch.equal(cond, guided(alone, seed, skipped, with_second=False)[0])
        if not seed % 2:
            assert torch.equal(skip, toy()(*inputs(seed), {"skipped": skipped}))


@pytest.mark.parametrize("skipped", [[("double", 0)], [("single", 0)], [("double", 0), ("single", 0)]], ids=str)
def test_a_list_whose_first_block_is_skipped_passes_through_the_rest(skipped):
    model, (x, t, text) = toy(), inputs(1)
    whole, short = Bench(model, merged("#.")), Bench(model, merged("#."))
    added = residuals(model, *inputs(0))
    whole(*inputs(0))
    assert torch.equal(whole(x, t, text, options={"skipped": skipped}), by_hand(x, text, added))
    first = short(*inputs(0), options={"skipped": skipped})
    torch.testing.assert_close(short(*inputs(0), options={"skipped": skipped}), first, atol=1e-5, rtol=0)


def test_a_list_whose_last_block_is_skipped_is_computed():
    bench = Bench(model := toy(), merged("#.#."))
    options = {"skipped": [("double", 1), ("single", 1)]}
    for seed in range(4):
        assert torch.equal(bench(*inputs(seed), options=options), model(*inputs(seed), options))
    assert list(bench.run.store) == []

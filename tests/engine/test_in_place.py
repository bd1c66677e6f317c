"""Blocks and samplers that write into what they are given must not reach the cache."""

import pytest
import torch
from toy import Bench, inputs, plan, toy

from cache_core import MODULES, OUTPUT


@pytest.mark.parametrize("kinds", [MODULES, OUTPUT])
def test_kept_values_survive_later_forwards(kinds):
    bench = Bench(toy(), plan("#..", kinds))
    bench(*inputs())
    kept = list(bench.run.store.tensors())
    before, versions = [tensor.clone() for tensor in kept], [tensor._version for tensor in kept]
    for seed in (1, 2):
        bench(*inputs(seed)).zero_()
    assert kept
    assert all(now is then for now, then in zip(bench.run.store.tensors(), kept, strict=True))
    assert all(map(torch.equal, kept, before))
    assert [tensor._version for tensor in kept] == versions


@pytest.mark.parametrize("order", [1, 2])
def test_replaying_an_input_gives_what_computing_it_gave(order):
    bench = Bench(toy(), plan("##..", order=order))
    computed, *_, replayed = (bench(*inputs()) for _ in range(4))
    torch.testing.assert_close(replayed, computed, atol=1e-5, rtol=0)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("conditionings", [("cond",), ("uncond", "cond")])
def test_a_caller_that_writes_into_a_prediction_does_not_change_the_next_one(conditionings, order):
    def play(spoil):
        bench = Bench(toy(), plan("##..", OUTPUT, order))
        for seed in (0, 1):
            bench(*inputs(seed, batch=2), conditionings=conditionings)
        first = bench(*inputs(), conditionings=conditionings)
        spoil(first)
        return bench(*inputs(), conditionings=conditionings)

    assert torch.equal(play(torch.zero_), play(torch.clone))


def test_a_caller_that_writes_into_a_computed_output_does_not_change_the_prediction():
    bench = Bench(toy(), plan("#.", OUTPUT))
    computed = bench(*inputs())
    wanted = computed.clone()
    computed.zero_()
    assert torch.equal(bench(*inputs()), wanted)


def test_the_models_input_is_left_alone():
    given = inputs()
    before = [tensor.clone() for tensor in given]
    bench = Bench(toy(), plan("#m.a"))
    for _ in range(4):
        bench(*given)
    assert all(map(torch.equal, given, before))

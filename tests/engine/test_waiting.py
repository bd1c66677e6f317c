"""How often a run waits for the device: what is kept is proved only where it is used, and a check of a block waits
once."""

import math

import pytest
import torch
from test_between import operations
from toy import Bench, inputs, plan, toy

from cache_core import OUTPUT
from cache_core.mount.replay import distance
from cache_core.store import Store

WAITS = "aten._local_scalar_dense.default"


@pytest.mark.parametrize(
    ("plans", "proved"),
    [
        ((plan("####.#.", order=2),), [4, 6]),
        ((plan("###..#.", OUTPUT),), [3, 4, 6]),
        ((plan("##.####.", merge=True),), [2, 7]),
    ],
)
def test_what_is_kept_is_proved_before_steps_that_predict_only(monkeypatch, plans, proved):
    bench, seen, prove = Bench(toy(), *plans), [], Store.prove
    monkeypatch.setattr(Store, "prove", lambda self: seen.append(len(bench.run.evaluations)) or prove(self))
    for seed in range(8):
        bench(*inputs(seed))
    assert seen == proved


def test_a_check_of_several_streams_waits_once():
    streams = torch.ones(1, 2), torch.ones(1, 3), None
    assert operations(lambda: distance(streams, streams))[WAITS] == 1


@pytest.mark.parametrize("spoilt", [0, 1])
def test_nothing_is_near_a_stream_that_is_not_finite(spoilt):
    streams = [torch.ones(1, 2), torch.ones(1, 3)]
    other = [x * math.nan if i == spoilt else x for i, x in enumerate(streams)]
    assert math.isnan(distance(other, streams))

"""Several devices in one run: what is kept, moved, counted and allowed on each."""

import pytest
import torch
from toy import plan

from cache_core import MODULES, OUTPUT, Kind, Run, Timeline, report
from cache_core.run.engine import evaluate
from cache_core.run.streams import Streams, Taken
from cache_core.store import Budget, Footprint, Full, Rung, Store
from lab.sample import flow_sigmas

SIGMAS = flow_sigmas(10)
OUTSIDE = torch.device("meta")  # a device other than the CPU that every machine has: it counts bytes and holds none


def test_a_conditioning_that_comes_twice_keeps_its_devices_apart_whatever_the_order():
    streams = Streams()
    first, second = streams.take("a", set(), "s", "cuda:0"), streams.take("a", {("a", 0)}, "s", "cuda:1")
    taken = set()
    assert streams.take("a", taken, "s", "cuda:1") == Taken(second.stream)
    assert streams.take("a", taken, "s", "cuda:0") == Taken(first.stream)
    assert streams.take("a", {("a", 1)}, "s", "cuda:1") == Taken(first.stream, moved=True)


def ab():
    return Run((plan("#.........", OUTPUT),), Timeline.flow(SIGMAS))


def filled(run, names, value=lambda: torch.ones(1, 4)):
    run.begin(SIGMAS[0])
    for name in names:
        evaluate(run, (name,), "shape", value, device=torch.device("cpu"))


def test_a_conditioning_that_comes_to_another_device_takes_its_past_along():
    run = ab()
    filled(run, ["a", "b"])
    run.begin(SIGMAS[1])
    out = evaluate(run, ("a",), "shape", lambda: pytest.fail("it has a past"), device=OUTSIDE)
    assert out.device == OUTSIDE
    assert [run.store.on(device) for device in (torch.device("cpu"), OUTSIDE)] == [16, 16]
    assert (run.store.peak_bytes, run.moves, run.restarts) == (32, 1, 0)
    assert "moved between devices 1 times" in report(run, "toy", True).line()


@pytest.mark.parametrize("why", ["budget", "memory"])
def test_a_past_for_which_the_other_device_has_no_room_is_left_behind_and_said(why, monkeypatch):
    run = ab()
    filled(run, ["a"])
    run.begin(SIGMAS[1])
    if why == "budget":
        run.store.budgets[OUTSIDE] = Budget(device=15)
    else:

        def full(*given):
            raise torch.OutOfMemoryError("no room")

        monkeypatch.setattr(torch.Tensor, "to", full)
    with run.calling(("a",), "shape", OUTSIDE):
        assert not run.predicts(Kind.MODEL, "model")
    assert (list(run.store), run.store.bytes, run.moves) == ([], 0, 0)
    assert "no room on meta" in run.demotions[0]


def test_what_is_kept_in_host_memory_stays_there_when_its_conditioning_moves():
    store = Store((Rung(offloaded=True),))
    key = Kind.MLP, "site", 1
    store.push(key, 1.0, torch.ones(1, 4), 1)
    store.begin({Kind.MLP})
    assert store.on(torch.device("cpu")) == 16  # fetched ahead
    assert store.move([key], OUTSIDE)
    assert (store.on(torch.device("cpu")), store.on(OUTSIDE), store.host_bytes) == (0, 0, 16)
    assert store[key].kept[0].device == OUTSIDE


def test_a_store_is_full_where_the_budget_of_that_device_is_passed():
    store = Store()
    store.budgets[OUTSIDE] = Budget(device=16)
    store.push((Kind.MLP, "site", 1), 1.0, torch.ones(1, 4), 1)
    store.push((Kind.MLP, "site", 2), 1.0, torch.ones(1, 4), 1)
    store.push((Kind.MLP, "site", 3), 1.0, torch.ones(1, 4, device=OUTSIDE), 1)
    assert store.peak_bytes == 32  # of the device that held most
    with pytest.raises(Full):
        store.push((Kind.MLP, "site", 4), 1.0, torch.ones(1, 4, device=OUTSIDE), 1)


def test_a_further_device_with_less_room_takes_the_next_rung_once_the_evaluation_is_over():
    run = Run((plan("#.#.#.#.#.", merge=False),), Timeline.flow(SIGMAS))
    some = Footprint(100, 10, 20, 0.25)
    run.begin(SIGMAS[0])
    run.choose_rung(some, Budget(1000, 0))
    assert run.store.rung == Rung()
    run.choose_rung(some, Budget(50, 0), OUTSIDE)
    assert run.store.rung == Rung(merged=True)
    assert not any(run.keeps(kind) for kind in (*MODULES, Kind.BLOCKS))  # calls underway keep by the rung before it
    assert "cache on meta" in run.notes[-1]
    run.begin(SIGMAS[1])
    run.begin(SIGMAS[2])
    assert run.keeps(Kind.BLOCKS)

"""What a store keeps in which form, what it fetches ahead, and when it is full."""

import weakref

import pytest
import torch
from toy import Bench, Marks, inputs, measured, plan, toy, watch_stores

from cache_core import MODULES, OUTPUT, Kind, Timeline
from cache_core.schedule.table import nest
from cache_core.store import Budget, Full, Rung, Store, coarser, ladder
from cache_core.store.history import History

EVERY, MERGED, COARSER = Rung(), Rung(merged=True), Rung(merged=True, coarser=True)
ATTENTION, MLP, MODEL = Kind.ATTENTION, Kind.MLP, Kind.MODEL
SIZE = 40  # bytes of a value in the tests of fetching
OFFLOADED = Rung(offloaded=True)


def table(marks, kinds=MODULES):
    return Marks(marks, kinds).table(Timeline.even(len(marks)))


def forms(merged=False, coarser=False):
    return tuple(Rung(merged, host, small, coarser) for small in (False, True) for host in (False, True))


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize(
    ("rows", "rungs"),
    [
        (table("#m.a#."), (*forms(), *forms(True, True))),
        (table("#ma#"), forms()),  # never both: were the table coarser, nothing would be predicted
        (table("#mm#"), forms()),
        (table("#..#", frozenset({ATTENTION})), forms()),
        (table("#..#", OUTPUT), forms()),
        (nest(table("#.##", OUTPUT), table("#a.")), (*forms(), *forms(True, True))),
    ],
    ids=["mixed", "never both", "one kind predicted", "one kind planned", "no block", "mixed under AB"],
)
def test_a_table_that_predicts_one_kind_alone_keeps_every_site_as_long_as_it_can(rows, rungs, merge):
    assert ladder(rows, merge) == rungs


@pytest.mark.parametrize("rows", [table("#.#."), nest(table("#.##", OUTPUT), table("#.#"))], ids=["alone", "under AB"])
def test_a_table_that_predicts_both_kinds_together_is_merged_from_the_second_rung_or_from_the_start(rows):
    assert ladder(rows, merge=False) == (EVERY, *forms(True))
    assert ladder(rows, merge=True) == forms(True)


def test_a_run_is_merged_from_the_start_if_a_plan_says_so():
    assert [Bench(toy(), plan("#.", merge=merge)).run.store.rung for merge in (False, True)] == [EVERY, MERGED]


def test_no_two_rungs_of_a_ladder_have_the_same_name():
    rungs = ladder(table("#m.a"), merge=False)
    assert len(set(map(str, rungs))) == len(rungs) == 8


def test_a_coarser_table_computes_both_kinds_where_one_was_predicted():
    assert coarser(table("#m.a#.")) == table("##.##.")


def test_a_coarser_table_leaves_the_steps_at_which_the_model_is_predicted():
    finer, wanted = (nest(table("#.##.#", OUTPUT), table(marks)) for marks in ("#m.a", "##.#"))
    assert coarser(finer) == wanted


def counted(store):
    return store.bytes, store.host_bytes


@pytest.mark.parametrize("rung", [*forms(), *forms(True, True)], ids=str)
def test_a_run_counts_the_bytes_of_the_storages_that_it_keeps(rung, monkeypatch):
    found = watch_stores(monkeypatch, lambda store: (measured(store), counted(store)))
    bench = Bench(toy(), plan("##m.a.#.", order=2), plan("", OUTPUT))
    bench.run.store.ladder, bench.run.store.window = (rung,), 300
    bench.run.stand()
    for seed in range(10):
        bench(*inputs(seed, batch=2), conditionings=("a", "b"))
    assert [real for real, _ in found] == [told for _, told in found]
    peaks = tuple(max(real[place] for real, _ in found) for place in (0, 1))
    assert (bench.run.store.peak_bytes, bench.run.store.peak_host_bytes) == peaks
    assert (peaks[1] > 0) == rung.offloaded


@pytest.mark.parametrize("rung", forms(True)[1:], ids=str)
def test_an_output_of_the_model_is_kept_as_it_is(rung):
    store, value = Store((rung,)), torch.linspace(-1, 3, 100)
    store.push((MODEL, "model", 1), 1.0, value, 1)
    assert counted(store) == (value.nbytes, 0)
    assert torch.equal(store.combine((MODEL, "model", 1), (1.0,)), value)
    assert not store.used


@pytest.mark.parametrize(("rung", "budget"), [(EVERY, Budget(device=2 * SIZE)), (OFFLOADED, Budget(host=2 * SIZE))])
def test_a_store_is_full_when_a_value_passes_the_budget_and_not_when_it_meets_it(rung, budget):
    store = filled(2, rung)
    store.budget = budget
    with pytest.raises(Full):
        filled(1, rung, store, first=2)
    assert max(store.peak_bytes, store.peak_host_bytes) == 2 * SIZE


def test_a_value_that_takes_the_place_of_an_older_one_needs_no_room():
    store = filled(2, EVERY)
    store.budget = Budget(device=2 * SIZE)
    filled(2, EVERY, store, node=0.5)
    assert store.bytes == 2 * SIZE


@pytest.mark.parametrize("rung", [*forms(), *forms(True)], ids=str)
def test_a_closed_store_keeps_nothing_alive_and_nothing_fetched(rung):
    bench = Bench(toy(), plan("##.a", order=2))
    bench.run.store.ladder = (rung,)
    for seed in range(2):
        bench(*inputs(seed))
    bench.run.begin(0.8)  # fetches ahead what the blocks would now read
    kept = [weakref.ref(tensor) for tensor in bench.run.store.tensors()]
    assert all(ref() is not None for ref in kept)
    assert measured(bench.run.store)[0] == bench.run.store.bytes > 0
    bench.run.close()
    assert [ref() for ref in kept] == [None] * len(kept)
    assert (*counted(bench.run.store), list(bench.run.store)) == (0, 0, [])


def key(i, kind=ATTENTION):
    return (kind, f"site {i}", 1)


def filled(count, rung=OFFLOADED, store=None, first=0, node=1.0, kind=ATTENTION, window=None):
    """A store with `count` more values of SIZE bytes: value i is i. `window`: bytes that it fetches ahead."""
    store = store or Store((rung,))
    store.window = window or store.window
    for i in range(first, first + count):
        store.push(key(i, kind), node, torch.full((SIZE // 4,), float(i)), 1)
    return store


@pytest.fixture
def fetched(monkeypatch):
    """The values fetched from host memory from here on."""
    found, fetch = [], History.fetch

    def watched(self, transfer):
        found.append(float(self.kept[0].parts[0][0]))
        return fetch(self, transfer)

    monkeypatch.setattr(History, "fetch", watched)
    return found


def ahead(store):
    return measured(store)[0] / SIZE


@pytest.mark.parametrize("window", [1, 3, 8, 20])
def test_values_are_fetched_once_each_and_in_order_within_the_window(window, fetched):
    store = filled(8, window=window * SIZE)
    for _ in range(2):
        store.begin({ATTENTION})
        for i in range(8):
            assert fetched == list(range(min(i + window, 8)))
            assert ahead(store) == min(window, 8 - i)
            assert float(store.combine(key(i), (1.0,))[0]) == i
        assert (ahead(store), store.bytes) == (0, 0)
        fetched.clear()


def test_no_more_is_fetched_ahead_than_the_budget_allows(fetched):
    store = filled(5)
    store.budget = Budget(device=2.5 * SIZE)
    store.begin({ATTENTION})
    for i in range(5):
        assert ahead(store) <= 2
        assert float(store.combine(key(i), (1.0,))[0]) == i
    assert fetched == list(range(5))


def test_a_window_smaller_than_a_value_fetches_each_when_it_is_read(fetched):
    store = filled(3, window=SIZE - 1)
    store.begin({ATTENTION})
    for i in range(3):
        assert (ahead(store), fetched) == (0, list(range(i)))
        assert float(store.combine(key(i), (1.0,))[0]) == i


def test_a_kind_that_will_not_be_predicted_is_not_fetched(fetched):
    store = filled(3)
    filled(3, store=store, first=10, kind=MLP)
    store.begin({ATTENTION, MODEL})
    assert fetched == [0, 1, 2]


def test_a_value_read_before_it_was_fetched_ahead_is_not_fetched_again(fetched):
    store = filled(3, window=SIZE)
    store.begin({ATTENTION})
    for i in (1, 0, 2):
        store.combine(key(i), (1.0,))
    assert fetched == [0, 1, 2]


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 0, 3, 2), (0, 2, 2, 3)])
def test_values_read_in_another_order_are_right(order):
    store = filled(4, window=2 * SIZE)
    store.begin({ATTENTION})
    for i in order:
        assert ahead(store) <= 2
        assert float(store.combine(key(i), (1.0,))[0]) == i


def test_what_was_fetched_and_not_read_is_dropped_when_the_next_evaluation_begins():
    store = filled(4)
    store.begin({ATTENTION})
    assert (ahead(store), store.bytes) == (4, 4 * SIZE)
    store.begin(())
    assert (ahead(store), store.bytes, store.host_bytes) == (0, 0, 4 * SIZE)


def test_what_was_fetched_of_a_value_is_dropped_with_it():
    store = filled(4, window=2 * SIZE)
    store.begin({ATTENTION})
    store.forget([key(1), key(2)])
    filled(1, store=store, first=0, node=0.5)
    assert (ahead(store), store.bytes, store.host_bytes) == (0, 0, 2 * SIZE)
    assert float(store.combine(key(3), (1.0,))[0]) == 3


@pytest.mark.parametrize("marks", ["#...", "##.#.", "#m#m"])
def test_a_run_fetches_what_it_reads_in_the_order_in_which_it_reads_it(marks, monkeypatch):
    read, ahead_of, combine, fetch = [], [], Store.combine, History.fetch

    def watched_combine(self, key, weights):
        read.append(id(self[key]))
        return combine(self, key, weights)

    def watched_fetch(self, transfer):
        ahead_of.append(id(self))
        return fetch(self, transfer)

    monkeypatch.setattr(Store, "combine", watched_combine)
    monkeypatch.setattr(History, "fetch", watched_fetch)
    bench = Bench(toy(), plan(marks, order=2))
    bench.run.store.ladder, bench.run.store.window = (OFFLOADED,), 1000
    for seed in range(len(marks)):
        bench(*inputs(seed, batch=2), conditionings=("a", "b"))
    assert ahead_of == read
    assert len(read) >= 24

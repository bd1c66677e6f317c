"""What a run keeps, what it says it keeps, and what happens when there is no room."""

import pytest
import torch
from toy import Bench, Double, Single, inputs, plan, small_flux, toy

from cache_core import OUTPUT, Kind
from cache_core.store.history import History
from lab.sample import flow_sigmas, noise_of, sample

SITES = 4 + 2  # of a double block (attention and MLP of two streams) and a single block


def kept_bytes(run):
    """The memory of the kept tensors, each storage once."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in run.store.tensors()}.values())


def kept_after_each_step(bench, steps, measure):
    found = []
    for seed in range(steps):
        bench(*inputs(seed))
        found.append(measure(bench.run))
    return found


def count(run):
    return len(list(run.store.tensors()))


def one_of_each():
    return toy((Double,), (Single,))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_plan_that_computes_everything_keeps_nothing(order):
    assert kept_after_each_step(Bench(one_of_each(), plan("", order=order)), 5, count) == [0] * 5


def test_reuse_keeps_one_sample_of_each_site_and_order_2_keeps_two():
    assert kept_after_each_step(Bench(one_of_each(), plan("###.", order=1)), 4, count) == [0, 0, SITES, SITES]
    assert kept_after_each_step(Bench(one_of_each(), plan("###.", order=2)), 4, count) == [
        0,
        SITES,
        2 * SITES,
        2 * SITES,
    ]


def test_only_the_kind_that_will_be_predicted_is_kept():
    assert kept_after_each_step(Bench(one_of_each(), plan("#m")), 2, count)[0] == SITES / 2
    assert kept_after_each_step(Bench(one_of_each(), plan(".".join("##"), OUTPUT)), 1, count) == [1]


def test_a_plan_for_blocks_keeps_nothing_for_steps_at_which_the_model_is_predicted():
    # Was wrong once (schedule/table.py, needed): see tests/core/test_tables.py. Every sample is kept, and the blocks
    # are mounted, for nothing.
    bench = Bench(one_of_each(), plan("", order=1), plan("#.#.#.", OUTPUT))
    assert kept_after_each_step(bench, 6, count) == [1] * 6


@pytest.mark.parametrize(("marks", "order"), [("#.#m#a", 1), ("##.#mm.a", 2), ("#####.", 3)])
def test_the_peak_is_the_largest_sum_of_kept_storages(marks, order):
    bench = Bench(one_of_each(), plan(marks, order=order), plan("", OUTPUT))
    measured = kept_after_each_step(bench, 10, kept_bytes)
    assert bench.run.store.peak_bytes == max(measured) > 0
    assert bench.run.store.bytes == measured[-1]


def test_the_peak_outlives_a_restart_with_smaller_shapes():
    bench, (x, *rest) = Bench(one_of_each(), plan("#..")), inputs()
    bench(x, *rest)
    peak = bench.run.store.bytes
    bench(x[:, :2], *rest)
    assert 0 < bench.run.store.bytes < peak == bench.run.store.peak_bytes


def test_a_closed_run_remembers_its_peak_and_keeps_nothing():
    bench = Bench(one_of_each(), plan("##.", order=2))
    peak = max(kept_after_each_step(bench, 3, kept_bytes))
    bench.run.close()
    assert (bench.run.store.bytes, count(bench.run), bench.run.store.peak_bytes) == (0, 0, peak)


def run_out_at(monkeypatch, *nth):
    """The list of values to be stored from here on. Those at places `nth`, counted from 1, do not fit; without a
    place none does."""
    pushed, push = [], History.push

    def full(self, node, *rest):
        pushed.append(node)
        if not nth or len(pushed) in nth:
            raise torch.OutOfMemoryError("no room")
        return push(self, node, *rest)

    monkeypatch.setattr(History, "push", full)
    return pushed


@pytest.mark.parametrize("nth", range(1, 2 * SITES + 1))
@pytest.mark.parametrize("marks", ["#.#.#.#.", "#m#a#.#m", "##m#a#."])
def test_when_storing_runs_out_of_memory_the_picture_is_finished_a_rung_down(marks, nth, monkeypatch):
    pushed = run_out_at(monkeypatch, nth)
    bench = Bench(one_of_each(), plan(marks))
    rungs = bench.run.store.ladder
    while len(pushed) < nth:
        assert bench(*inputs(len(bench.run.evaluations))).isfinite().all()
    failed = bench.run.evaluation
    assert len(pushed) == nth  # nothing more was stored in that evaluation
    for seed in range(failed.step + 1, 10):
        assert bench(*inputs(seed)).isfinite().all()
    assert bench.run.demotions == [f"out of memory at step {failed.step}: from then on {rungs[1]}"]
    assert bench.run.store.rung == rungs[1]


def test_after_a_step_down_values_are_kept_and_predicted_again(monkeypatch):
    run_out_at(monkeypatch, SITES)
    bench = Bench(one_of_each(), plan("#.#.#."))
    # the other kind, nothing, and on the next rung a residual for each of three streams
    assert kept_after_each_step(bench, 6, count) == [3, 0, 3, 3, 3, 3]
    assert [sum(e.predicted_calls.values()) for e in bench.run.evaluations] == [0, 0, 0, 9, 0, 9]


def test_what_is_kept_of_the_kind_that_does_not_fit_is_given_back_at_once_and_the_rest_when_the_next_evaluation_begins(
    monkeypatch,
):
    run_out_at(monkeypatch, SITES // 2 + 3)  # the first step keeps the MLPs, the second the attention
    bench = Bench(one_of_each(), plan("#a."))
    assert kept_after_each_step(bench, 3, lambda run: [kind.value for kind, *_ in run.store]) == [
        ["mlp"] * 3,
        ["mlp"] * 3,
        [],
    ]


def test_the_models_output_is_kept_and_predicted_whatever_becomes_of_the_blocks(monkeypatch):
    run_out_at(monkeypatch, 1)
    bench = Bench(one_of_each(), plan("#.#.#."), plan("#.#.#.#.", OUTPUT))
    kept_after_each_step(bench, 2, count)
    assert bench.run.demotions
    assert bench.run.evaluation.predicted_calls == {Kind.MODEL: 1}


@pytest.mark.parametrize("nth", [1, 3, SITES])
@pytest.mark.parametrize("marks", ["#.#.#.", "##m"])
def test_when_storing_runs_out_of_memory_on_the_last_rung_the_rest_is_computed(marks, nth, monkeypatch):
    run_out_at(monkeypatch, nth)
    model = one_of_each()
    bench = Bench(model, plan(marks, order=2))
    bench.run.store.ladder = bench.run.store.ladder[-1:]
    for seed in range(10):
        got = bench(*inputs(seed))
        gone = bool(bench.run.demotions)
        if gone:
            assert torch.equal(got, model(*inputs(seed), {}))
    assert gone
    assert "out of memory" in bench.run.demotions[0]
    assert (count(bench.run), bench.run.store.bytes, bench.run.store.host_bytes) == (0, 0, 0)


@pytest.mark.parametrize(("marks", "rungs"), [("#.........", 5), ("#ma.......", 8)])
def test_when_nothing_can_be_stored_each_rung_is_tried_once_and_all_is_computed(marks, rungs, monkeypatch):
    pushed = run_out_at(monkeypatch)
    model = one_of_each()
    bench = Bench(model, plan(marks))
    below = bench.run.store.ladder[1:]
    for seed in range(10):
        assert torch.equal(bench(*inputs(seed)), model(*inputs(seed), {}))
    ends = [*map(str, below), "computed: attention and mlp"]
    assert bench.run.demotions == [f"out of memory at step {step}: from then on {end}" for step, end in enumerate(ends)]
    assert (len(pushed), count(bench.run), bench.run.store.peak_bytes) == (rungs, 0, 0)


@pytest.mark.parametrize("rungs", [slice(None), slice(1)], ids=["all rungs", "one rung"])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("state", ["a", "m"])
def test_running_out_of_memory_while_another_kind_is_being_predicted_finishes_the_picture(
    state, nth, rungs, monkeypatch
):
    # Was wrong once (run.py, give_up): it drops the histories that the block underway has already decided to predict
    # from: KeyError.
    run_out_at(monkeypatch, SITES // 2 + nth)  # the first step keeps one kind, the second the other
    bench = Bench(one_of_each(), plan(f"#{state}."))
    bench.run.store.ladder = bench.run.store.ladder[rungs]
    finite = [bool(bench(*inputs(seed)).isfinite().all()) for seed in range(10)]
    assert finite == [True] * 10
    assert "out of memory" in bench.run.demotions[0]
    predicted = [dict(e.predicted_calls) for e in bench.run.evaluations]
    assert predicted == [{}, {Kind.MLP if state == "a" else Kind.ATTENTION: SITES // 2}, *[{}] * 8]


def test_the_step_at_which_memory_ran_out_is_named(monkeypatch):
    run_out_at(monkeypatch, 3)
    bench = Bench(toy(), plan("#.#.#.#.", OUTPUT))
    kept_after_each_step(bench, 8, count)
    assert len(bench.run.demotions) == 1
    assert "step 4" in bench.run.demotions[0]
    assert [Kind.MODEL in e.predicted for e in bench.run.evaluations] == [False, True, False, True] + [False] * 4


def test_steps_of_a_model_output_that_does_not_fit_are_computed_whole(monkeypatch):
    # Was wrong once (run.py, begin): where the model was to be predicted the blocks rest in the table, which reads as
    # predicting all of them.
    run_out_at(monkeypatch, SITES // 2 + 1)  # attention's sites, then the model's output
    model = one_of_each()
    bench = Bench(model, plan("#m"), plan("#.#.#.", OUTPUT))
    outputs = [(bench(*inputs(seed)), model(*inputs(seed), {})) for seed in range(6)]
    assert "computed: model" in bench.run.demotions[0]
    assert [torch.equal(got, computed) for got, computed in outputs] == [True, True, False, True, True, True]


def test_a_sampling_that_runs_out_of_memory_ends_with_a_picture_and_a_report(monkeypatch):
    model, noise, labels = small_flux(), noise_of([1], (4, 4, 4)), torch.tensor([2])
    wanted, _ = sample(model, noise, labels, flow_sigmas(10))
    run_out_at(monkeypatch)
    picture, report = sample(model, noise, labels, flow_sigmas(10), (plan("#.#.#.#."),))
    assert torch.equal(picture, wanted)
    assert report.finished
    assert "out of memory" in report.line()
    assert "out of memory" in report.text()


@pytest.mark.parametrize("nth", [1, 12, 25, 40])
def test_running_out_of_memory_while_the_mounts_are_checked_finishes_the_picture(nth, fail_clone):
    # Was wrong once (mount/block.py, failing): the untouched call, on copies of the block's inputs, is outside the try.
    model, noise, labels = small_flux(), noise_of([1], (4, 4, 4)), torch.tensor([2])
    fail_clone(nth)
    picture, report = sample(model, noise, labels, flow_sigmas(10), (plan("#......."),))
    assert picture.isfinite().all()
    assert report.demotions

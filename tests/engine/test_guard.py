"""The guard: where a refresh shows a larger error than the plan expects, the next one comes a step earlier, and as many are computed."""

import math

import pytest
import torch
import torch.multiprocessing as multiprocessing

from cache_core import OUTPUT, Kind, Plan, Predictor, Run, Steps, Timeline
from cache_core.engine import evaluate
from cache_core.guard import Guard, Listener, moved_earlier, refresh_error
from cache_core.schedule import from_steps
from cache_core.store.history import History
from lab.sample import flow_sigmas

STEPS = 24
SIGMAS = flow_sigmas(STEPS)
COMPUTED = (0, 1, 4, 8, 12, 16, 20, 23)


def history(nodes, curve):
    made = History(3)
    for node in reversed(nodes):
        made.push(node, torch.tensor([[curve(node)]]))
    return made


def computed_by(guard, curve, steps=COMPUTED):
    """The steps at which a run computes an output that follows `curve`."""
    run = Run((Plan(Steps(OUTPUT, steps), Predictor(2), guard=guard),), Timeline.flow(SIGMAS))
    found = []
    for step, sigma in enumerate(SIGMAS[:-1]):
        run.begin(sigma)
        evaluate(run, ["cond"], "shape", lambda sigma=sigma: torch.tensor([[curve(sigma)]]))
        if run.evaluation.computed_calls[Kind.MODEL]:
            found.append(step)
    return tuple(found)


def test_the_error_of_a_refresh_is_its_distance_to_what_order_2_foretold():
    assert refresh_error([history((0.5, 0.7, 0.9), lambda s: 2 + 3 * s)]) == pytest.approx(0, abs=1e-6)
    assert refresh_error([history((0.5, 0.7, 0.9), lambda s: s**2)]) == pytest.approx(abs(0.25 - (2 * 0.49 - 0.81)) / 0.25, rel=1e-5)


def test_the_error_is_of_all_conditionings_together_and_needs_three_samples_of_each():
    straight, bent = history((0.5, 0.7, 0.9), lambda s: 2.0), history((0.5, 0.7, 0.9), lambda s: s**2)
    assert refresh_error([straight, bent]) == pytest.approx(abs(0.25 - 0.17) / math.hypot(0.25, 2.0), rel=1e-5)
    assert refresh_error([straight, history((0.5, 0.7), lambda s: s)]) is None
    assert refresh_error([]) is None


def test_a_refresh_moves_one_step_earlier_and_no_other_does():
    table = from_steps(OUTPUT, (0, 4, 7, 9), 10)
    assert moved_earlier(table, 5).computed(Kind.MODEL) == (0, 4, 6, 9)
    assert moved_earlier(table, 7) == table  # it is due now
    assert moved_earlier(table, 8) == table  # the last step stays


def test_as_expected_nothing_moves_and_a_turn_makes_the_next_refresh_come_earlier():
    def gentle(sigma):
        return 1 + 0.1 * sigma**2

    def turning(sigma):
        return gentle(sigma) + (2.0 if sigma < 0.6 else 0.0)

    listener = Listener()
    assert computed_by(listener, gentle) == COMPUTED
    guard = Guard(listener.expected())
    assert [round(STEPS * (1 - sigma)) for sigma, _ in guard.expected] == [4, 8, 12, 16, 20]  # after the last one nothing is decided
    assert computed_by(guard, gentle) == COMPUTED
    moved = computed_by(guard, turning)
    assert len(moved) == len(COMPUTED)
    assert moved[:5] == (0, 1, 4, 8, 12)
    assert moved[5] == 15


def test_a_refresh_that_no_error_is_known_for_moves_nothing_and_one_that_is_no_number_does():
    assert not Guard(()).exceeded(0.5, 1e9)
    assert not Guard(((0.5, 0.1),)).exceeded(0.5, 0.2)
    assert Guard(((0.5, 0.1),)).exceeded(0.5, 0.21)
    assert Guard(((0.5, 0.1),)).exceeded(0.5, float("nan"))


def test_a_listener_keeps_the_root_mean_square_of_several_runs():
    listener = Listener()
    for error in (3.0, 4.0):
        listener.exceeded(0.5, error)
    assert listener.expected() == ((0.5, pytest.approx(math.sqrt(12.5))),)


def _rank(rank, path, results):
    torch.distributed.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    curve = (lambda s: 2.0) if rank else (lambda s: s**2)
    results[rank] = refresh_error([history((0.5, 0.7, 0.9), curve)])
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available() or not torch.distributed.is_gloo_available(), reason="torch was built without gloo")
def test_every_rank_of_a_run_on_several_devices_sees_the_same_error(tmp_path):
    with multiprocessing.Manager() as manager:
        results = manager.dict()
        multiprocessing.spawn(_rank, (str(tmp_path / "meet"), results), nprocs=2)
        assert results[0] == results[1] == pytest.approx(0.08 / math.hypot(0.25, 2.0), rel=1e-5)

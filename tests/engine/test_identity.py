"""What must not change: computed steps, and the model itself."""

import weakref

import pytest
import torch
from toy import Bench, inputs, plan, small_flux, toy

from cache_core import MODULES, OUTPUT
from lab.sample import flow_sigmas, noise_of, sample

LABELS = torch.tensor([1, 4])
NOISE = noise_of([1, 2], (4, 4, 4))


class Interrupted(Exception):
    pass


def interrupt(*_):
    raise Interrupted


def untouched(model):
    return all("forward" not in vars(module) for module in model.modules())


@pytest.mark.parametrize("kinds", [MODULES, OUTPUT])
def test_a_plan_that_computes_everything_changes_no_bit(kinds):
    model = small_flux()
    cached, _ = sample(model, NOISE, LABELS, flow_sigmas(10), (plan("", kinds),))
    assert torch.equal(cached, sample(model, NOISE, LABELS, flow_sigmas(10))[0])


def test_a_computed_step_changes_no_bit_while_its_values_are_kept():
    model = toy()
    wanted = [model(*inputs(seed), {}) for seed in (0, 1)]
    bench = Bench(model, plan("##.", order=2))
    got = [bench(*inputs(seed)) for seed in (0, 1)]  # the first one also checks the mounts, the second finds them warm
    assert all(map(torch.equal, got, wanted))
    assert list(bench.run.store.tensors())


@pytest.mark.parametrize("steps", [1, 4, 7])
def test_a_run_of_few_steps_is_not_cached_and_says_so(steps):
    model = small_flux()
    cached, report = sample(model, NOISE, LABELS, flow_sigmas(steps), (plan("#......"),))
    assert torch.equal(cached, sample(model, NOISE, LABELS, flow_sigmas(steps))[0])
    assert report.computed == report.evaluations == steps
    assert len(report.notes) == 1
    assert f"{steps} steps" in report.notes[0]


def test_after_a_run_every_forward_is_its_classes_own():
    model = small_flux()
    cached, _ = sample(model, NOISE, LABELS, flow_sigmas(10), (plan("#m#a#."),))
    assert untouched(model)
    assert not torch.equal(cached, sample(model, NOISE, LABELS, flow_sigmas(10))[0])


@pytest.mark.parametrize("completed", [0, 1])
def test_after_an_exception_in_a_block_every_forward_is_its_classes_own(completed):
    model, bench = (m := toy()), Bench(m, plan("#m."))
    wanted = model(*inputs(), {})
    for _ in range(completed):
        bench(*inputs())
    hook = model.single_blocks[1].mlp_act.register_forward_pre_hook(interrupt)
    with pytest.raises(Interrupted):
        bench(*inputs())
    hook.remove()
    assert untouched(model)
    assert torch.equal(model(*inputs(), {}), wanted)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_closed_run_keeps_no_tensor_alive(interrupted):
    model, bench = (m := toy()), Bench(m, plan("##m.", order=2), plan("####.", OUTPUT))
    for seed in range(4):
        bench(*inputs(seed))
    kept = [weakref.ref(tensor) for tensor in bench.run.store.tensors()]
    assert kept
    assert all(ref() is not None for ref in kept)
    if interrupted:
        model.single_blocks[0].linear2.register_forward_pre_hook(interrupt)
        with pytest.raises(Interrupted):
            bench(*inputs(), conditionings=("another",))
    bench.run.close()
    del bench
    assert [ref() for ref in kept] == [None] * len(kept)


def test_two_runs_in_a_row_equal_two_fresh_ones():
    plans, used = (plan("##m.a#.", order=2),), small_flux()
    in_a_row = [sample(used, NOISE + shift, LABELS, flow_sigmas(10), plans)[0] for shift in (0, 1)]
    fresh = [sample(small_flux(), NOISE + shift, LABELS, flow_sigmas(10), plans)[0] for shift in (0, 1)]
    assert all(map(torch.equal, in_a_row, fresh))

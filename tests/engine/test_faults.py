"""Memory that runs out in any one operation of the store, and module outputs that are not finite: the picture is
finished, and the report says so."""

import weakref
from functools import cache

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from toy import Bench, Double, Marks, Single, inputs, plan, prepare_runs, small_flux, standing, toy

from cache_core import OUTPUT, Extrapolation, Kind, Plan, Run, Timeline
from cache_core.predictor import Fit, Fitted
from cache_core.run.engine import evaluate
from cache_core.settings import ABSettings
from cache_core.store import Rung, Store
from lab.sample import flow_sigmas, noise_of, sample

STEPS, LABELS = 10, torch.tensor([2])
SIGMAS = flow_sigmas(STEPS)
OPERATIONS = ("push", "combine", "begin", "prove")  # of a store, all that touch tensors
SLACK = (
    2.0  # a lost sample makes a prediction reach further, or of lower order, until the next computed step; 1.7 was seen
)


def tolerant(order=3):
    return ABSettings.of("custom", {"order": order, "interval": 4, "warmup_steps": 3, "tolerance": 0.2}).plan(None)


def corrected():
    """A plan like a calibrated one: outputs are corrected."""
    fits = (
        Fit(SIGMAS[5], (SIGMAS[5], SIGMAS[2]), (0.9, 0.1)),
        Fit(SIGMAS[7], (SIGMAS[7], SIGMAS[5], SIGMAS[2]), (1.0, 0.1, -0.1)),
    )
    return Plan(
        Marks("##.#.#.#.#", OUTPUT),
        Fitted(fits, Extrapolation(2)),
    )


HOST_8 = {"offloaded": True, "eight_bit": True}
# plans, the first rung, guidance, and of how many operations inside the store's one fails; its own operations take more
# each
CASES = {
    "every site": ((plan("#.#m#a#."),), Rung(), 1.0, 1),
    "every site, 8 bits, in host memory": ((plan("#.#m#a#."),), Rung(**HOST_8), 1.0, 5),
    "merged, order 2, in host memory": (
        (plan("#.#.#..#", merge=True, order=2),),
        Rung(merged=True, offloaded=True),
        1.0,
        1,
    ),
    "merged, order 2, 8 bits, in host memory": (
        (plan("#.#.#..#", merge=True, order=2),),
        Rung(merged=True, **HOST_8),
        1.0,
        5,
    ),
    "model, order 2": ((plan("##.#..#", OUTPUT, order=2),), None, 1.0, 1),
    "model, tolerance": ((tolerant(),), None, 1.0, 2),
    "model, corrected": ((corrected(),), None, 1.0, 1),
    "merged beside model, guidance": (
        (plan("#.#.", order=2), plan("##.##.", OUTPUT, order=2)),
        Rung(merged=True),
        3.0,
        2,
    ),
}


class Failing(TorchDispatchMode):
    """Counts operations on tensors; number `at` finds no memory."""

    def __init__(self, at):
        super().__init__()
        self.seen, self.at = 0, at

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.seen += 1
        if self.seen == self.at:
            raise torch.OutOfMemoryError("no room")
        return operation(*args, **(kwargs or {}))


@pytest.fixture
def sampled(monkeypatch):
    """Samples a case; memory runs out in operation `at` of those inside the store's. Returns picture, report, and
    the operations seen."""

    def run(plans, rung, guidance, at=0):
        failing = Failing(at)
        with monkeypatch.context() as patched:
            for name in OPERATIONS:
                patched.setattr(Store, name, inside(failing, getattr(Store, name)))
            if rung:
                prepare_runs(patched, lambda run: standing(*run.store.ladder[run.store.ladder.index(rung) :])(run))
            picture, report = sample(small_flux(), noise_of([1], (4, 4, 4)), LABELS, SIGMAS, plans, guidance)
        return picture, report, failing.seen

    return run


def inside(mode, work):
    def call(self, *given):
        with mode:
            return work(self, *given)

    return call


def far(picture, other):
    return float((picture - other).norm() / other.norm())


@pytest.mark.parametrize("case", CASES)
def test_when_memory_runs_out_in_any_operation_of_the_store_the_picture_is_as_near_as_what_the_report_names(
    case, sampled
):
    """Nearness is to the uncached picture, and twice that of the run without a fault, or of one by the rung that the
    report names, at most."""
    plans, rung, guidance, stride = CASES[case]
    uncached, _ = sample(small_flux(), noise_of([1], (4, 4, 4)), LABELS, SIGMAS, (), guidance)
    sound, report, count = sampled(plans, rung, guidance)
    assert not report.demotions
    rungs = Run(plans, Timeline.flow(SIGMAS)).store.ladder if rung else ()
    standing_by = cache(lambda named: far(sampled(plans, named, guidance)[0], uncached))
    missed = []
    for at in range(1, count + 1, stride):
        picture, report, _ = sampled(plans, rung, guidance, at)
        named = [r for r in rungs if any(demotion.endswith(f"from then on {r}") for demotion in report.demotions)]
        bound = SLACK * max([far(sound, uncached), *map(standing_by, named)])
        if not (report.finished and far(picture, uncached) <= bound):
            missed.append((at, far(picture, uncached), bound, report.demotions))
    assert not missed
    assert count > 20


@pytest.mark.parametrize("nth", [*range(1, 24), 30, 40])
def test_when_memory_runs_out_while_a_list_of_blocks_is_merged_the_call_is_made_once_more(nth, fail_clone):
    copies = fail_clone(nth)
    picture, report = sample(small_flux(), noise_of([1], (4, 4, 4)), LABELS, SIGMAS, (plan("#.#.#.", merge=True),))
    assert report.finished
    assert picture.isfinite().all()
    assert "out of memory" in report.demotions[0] if len(copies) >= nth else not report.demotions


def test_a_model_that_runs_out_of_memory_without_any_cache_says_so_itself():
    def full():
        raise torch.OutOfMemoryError("the model's own")

    run = Run((plan("##.##.", OUTPUT),), Timeline.flow(SIGMAS))
    run.begin(SIGMAS[0])
    with pytest.raises(torch.OutOfMemoryError, match="own"):
        evaluate(run, ("cond",), (1,), full)
    assert not run.demotions


def test_a_call_that_is_made_once_more_counts_once():
    bench, calls = Bench(toy(), plan("#.#.")), []
    bench(*inputs())
    forward = bench.model.forward

    def once(*given):
        calls.append(bench.run.evaluation.predicted)
        result = forward(*given)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("at the end of the call")
        return result

    bench.model.forward = once
    assert torch.equal(bench(*inputs(1)), toy()(*inputs(1), {}))
    assert [bool(predicted) for predicted in calls] == [True, False]
    assert (sum(bench.run.evaluation.predicted_calls.values()), bench.run.evaluation.block_calls) == (0, 1)


# Not finite ---------------------------------------------------------------------------------------------------------


class Overflowing(nn.Module):
    """An MLP whose output is spoilt when told to."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.value = inner, None

    def forward(self, x):
        out = self.inner(x)
        if self.value is not None:
            out = out.clone()
            out[0, 1, 2] = self.value
        return out


class Clamped(Double):
    """Sanitises what its image's MLP returns, as ComfyUI's blocks do in half precision."""

    def __init__(self):
        super().__init__()
        self.img_mlp = Overflowing(self.img_mlp)

    def forward(self, *args, **kwargs):
        img, txt = super().forward(*args, **kwargs)
        return img.nan_to_num_(0, 1, -1), txt.nan_to_num_(0, 1, -1)


def all_finite(store):
    return all(bool(part.float().isfinite().all()) for part in store.tensors())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "rung", [Rung(offloaded=o, eight_bit=e) for o in (False, True) for e in (False, True)], ids=str
)
def test_a_module_output_that_is_not_finite_never_enters_a_history(rung, value, monkeypatch):
    model = toy((Clamped, Double), (Single,))
    bench, mlp = Bench(model, plan("#.#.", order=2)), model.double_blocks[0].img_mlp
    standing(rung)(bench.run)
    monkeypatch.setattr(
        bench.run,
        "begin",
        after(bench.run.begin, lambda: bench.run.evaluations[-1:] and seen.append(all_finite(bench.run.store))),
    )
    seen = []
    mlp.value = value
    bench(*inputs(0))
    mlp.value = None
    outputs = [bench(*inputs(seed)) for seed in range(1, 4)]
    assert seen == [True] * 4
    assert all(output.isfinite().all() for output in outputs)
    sites = 2 * 2 * 2 + 2
    assert [sum(e.predicted_calls.values()) for e in bench.run.evaluations] == [0, sites - 1, 0, sites]
    assert bench.run.demotions == [
        "NaN or infinity in mlp: not kept, and computed where there is nothing else to predict from"
    ]


def after(work, look):
    def call(*given):
        result = work(*given)
        look()
        return result

    return call


@pytest.mark.parametrize("form", [{}, {"eight_bit": True}, {"offloaded": True, "eight_bit": True}], ids=str)
def test_a_merged_residual_that_is_not_finite_is_computed_anew(form, monkeypatch):
    model = toy((Double, Double), ())
    bench = Bench(model, plan("#.#.", merge=True))
    standing(Rung(merged=True, **form))(bench.run)
    image, *rest = inputs(0)
    bench(image.clone().fill_(float("inf")), *rest)
    assert torch.equal(bench(*inputs(1)), toy((Double, Double), ())(*inputs(1), {}))
    assert all_finite(bench.run.store)
    assert "NaN or infinity in blocks" in bench.run.demotions[0]


def test_an_output_of_the_model_that_is_not_finite_is_not_predicted_from():
    bench = Bench(toy(), plan("##.#.", OUTPUT, order=2))
    bench(*inputs(0))
    image, *rest = inputs(1)
    bench(image.clone().fill_(float("nan")), *rest)
    reused = bench(*inputs(2))
    assert torch.equal(reused, toy()(*inputs(0), {}))  # what is left is the first output
    assert bench.run.evaluation.predicted_calls == {Kind.MODEL: 1}
    assert all_finite(bench.run.store)


def test_what_is_forgotten_is_not_held_for_the_proof():
    bench = Bench(toy(), plan("#.#."))
    bench(*inputs(0))
    kept = [weakref.ref(tensor) for tensor in bench.run.store.tensors()]
    bench.run.store.forget(list(bench.run.store))
    assert not [ref for ref in kept if ref() is not None]
    assert bench.run.store.prove() == []

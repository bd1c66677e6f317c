"""Conditionings: batched or not, in any order, told apart by their identity."""

import pytest
import torch
from toy import Bench, inputs, plan, small_flux, toy

from cache_core import OUTPUT, Extrapolation, Kind, Plan, Run, Timeline, TwoStage
from cache_core.run.engine import evaluate
from lab.sample import flow_sigmas, noise_of, sample

STEPS = 10
SIGMAS = flow_sigmas(STEPS)
FEB = Plan(TwoStage(2, 3, 2), Extrapolation(order=2))
AB = plan("##.#..#..#", OUTPUT, order=2)
PLANS = {"FEB": (FEB,), "AB": (AB,), "AB + FEB": (AB, FEB)}
ARRANGEMENTS = {
    "batched": [["uncond", "cond"]],
    "swapped": [["cond", "uncond"]],
    "split": [["uncond"], ["cond"]],
    "split, swapped": [["cond"], ["uncond"]],
}


@pytest.mark.parametrize("plans", PLANS.values(), ids=PLANS)
def test_batched_and_split_conditionings_give_the_same_picture(plans):
    given = small_flux(), noise_of([3], (4, 4, 4)), torch.tensor([5]), SIGMAS, plans
    batched, _ = sample(*given, guidance=2.0)
    split, _ = sample(*given, guidance=2.0, split=True)
    torch.testing.assert_close(split, batched, atol=3e-6, rtol=0)


def guided(plans, arrangement_of):
    """A guided sampling of the toy, whose conditionings are arranged by `arrangement_of` the step."""
    bench = Bench(toy(), *plans, steps=STEPS)
    x, _, uncond = inputs(0)
    _, _, cond = inputs(1)
    texts = {"uncond": uncond, "cond": cond}
    for step in range(STEPS):
        bench.run.begin(SIGMAS[step])
        out = {}
        for names in ARRANGEMENTS[arrangement_of(step)]:
            given = (
                x.expand(len(names), -1, -1),
                torch.full((len(names),), SIGMAS[step]),
                torch.cat([texts[n] for n in names]),
            )
            rows = evaluate(bench.run, names, x.shape, lambda given=given: bench.model(*given, {}), bench.mounts)
            out |= dict(zip(names, rows.split(1), strict=True))
        x = x - (out["uncond"] + 2 * (out["cond"] - out["uncond"])) / STEPS
    return x, bench.run


@pytest.mark.parametrize("plans", PLANS.values(), ids=PLANS)
def test_conditionings_rearranged_between_steps_give_the_same_result(plans):
    steady, run = guided(plans, lambda step: "batched")
    mixed, _ = guided(plans, lambda step: list(ARRANGEMENTS)[step % len(ARRANGEMENTS)])
    torch.testing.assert_close(mixed, steady, atol=3e-6, rtol=0)
    assert sum(sum(e.predicted_calls.values()) for e in run.evaluations)


def rows(*numbers):
    return torch.tensor([[float(n)] for n in numbers])


class Outputs:
    """A run whose model answers with given numbers: `outputs(conditionings, numbers)` are the engine's outputs."""

    def __init__(self, marks="#........", signature="shape"):
        self.run = Run((plan(marks, OUTPUT),), Timeline.flow(SIGMAS))
        self.sigmas, self.signature = iter(SIGMAS), signature

    def begin(self):
        self.run.begin(next(self.sigmas))
        return self

    def __call__(self, conditionings, numbers, signature=None):
        return evaluate(self.run, conditionings, signature or self.signature, lambda: rows(*numbers)).flatten().tolist()


def test_each_row_is_predicted_from_its_own_conditioning():
    outputs = Outputs()
    assert outputs.begin()(["a", "b"], [1, 2]) == [1, 2]
    assert outputs.begin()(["b", "a"], [7, 7]) == [2, 1]


def test_a_conditioning_of_several_rows_is_one_stream():
    outputs = Outputs()
    outputs.begin()(["a", "b"], [1, 2, 3, 4])
    assert outputs.begin()(["b", "a"], [7, 7, 7, 7]) == [3, 4, 1, 2]


def test_the_same_conditioning_twice_in_one_evaluation_is_two_streams():
    outputs = Outputs()
    outputs.begin()(["a", "a"], [1, 2])
    assert outputs.begin()(["a", "a"], [7, 7]) == [1, 2]
    outputs.begin()
    assert [outputs(["a"], [7]), outputs(["a"], [7])] == [[1], [2]]


def test_a_call_with_a_conditioning_that_has_no_past_is_computed_as_a_whole():
    outputs = Outputs()
    outputs.begin()(["a"], [1])
    assert outputs.begin()(["a", "new"], [7, 8]) == [7, 8]
    assert outputs.run.evaluation.computed_calls[Kind.MODEL] == 1
    assert outputs.run.evaluation.predicted_calls[Kind.MODEL] == 0


def test_another_signature_restarts_that_stream_alone_and_is_counted():
    outputs = Outputs("##.......")
    for numbers in ([1, 2], [3, 4]):
        outputs.begin()(["a", "b"], numbers)
    outputs.begin()
    assert outputs(["a"], [7], signature="larger") == [7]
    assert outputs(["b"], [7]) == [4]
    assert outputs.run.restarts == 1


def test_a_restarted_stream_is_predicted_from_its_new_past():
    outputs = Outputs("#.#.")
    outputs.begin()(["a"], [1])
    outputs.begin()(["a"], [2], signature="larger")
    outputs.begin()(["a"], [3], signature="larger")
    assert outputs.begin()(["a"], [7], signature="larger") == [3]
    assert outputs.run.restarts == 1


def test_the_memory_of_a_restarted_stream_is_given_back():
    outputs = Outputs("#..")
    outputs.begin()(["a", "b"], [1, 2])
    before = outputs.run.store.bytes
    outputs.begin()(["a", "b"], [1, 2], signature="larger")
    assert outputs.run.store.bytes == before > 0


def test_an_evaluation_within_another_keeps_to_its_own_streams():
    # Was wrong once (engine.py, evaluate): streams entered by a call within the model (FEB-Cache under AB-Cache after
    # guidance) stay entered, and the outer output is remembered under them: it is never predicted, or with a batch of
    # two given to the wrong streams.
    outputs = Outputs()

    def step():
        outputs.begin()

        def model():
            with outputs.run.calling(["uncond", "cond"], "inner"):
                return rows(5)

        return evaluate(outputs.run, ["guided"], "outer", model)

    step()
    step()
    assert outputs.run.evaluation.predicted_calls[Kind.MODEL] == 1

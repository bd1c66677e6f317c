"""Tokens that come and go inside the model from one call to the next, while its inputs keep their shapes."""

import pytest
import torch
from toy import IMAGES, Bench, Double, Single, Toy, inputs, plan

from cache_core import MODULES
from cache_core.run.engine import evaluate

HOW = {"#m": False, "#a": False, "#.": False, "#. merged": True, "##. merged, order 2": True}


class Trimming(Toy):
    """Looks at the first `options["tokens"]` of its image tokens alone, as a model does that keeps the others' keys
    and values."""

    def forward(self, x, t, text, options):
        return super().forward(x[:, : options.get("tokens", IMAGES)], t, text, options)


def trimming():
    torch.manual_seed(0)
    return Trimming([Double(), Double()], [Single(), Single()])


def bench(how, marks):
    return Bench(trimming(), plan(marks, order=2 if "order" in how else 1, merge=HOW[how]))


@pytest.mark.parametrize("how", HOW)
def test_a_call_with_other_tokens_is_computed_where_it_was_to_be_predicted(how):
    state = how.split(" ")[0]
    caching = bench(how, state + state[-1])
    for seed in range(len(state) - 1):
        caching(*inputs(seed))
    assert torch.equal(caching(*inputs(5), options={"tokens": 2}), trimming()(*inputs(5), {"tokens": 2}))
    kinds = {"m": {"attention"}, "a": {"mlp"}, ".": MODULES}[state[-1]]
    assert all(caching.run.evaluation.computed_calls[kind] == caching.run.sites[kind] for kind in kinds)
    assert not any(caching.run.evaluation.predicted_calls.values())
    assert [note for note in caching.run.notes if "shapes inside the model changed" in note]


@pytest.mark.parametrize("how", HOW)
def test_the_call_after_it_is_predicted_from_it_alone(how):
    state = how.split(" ")[0]
    caching = bench(how, state + 2 * state[-1])
    for seed in range(len(state) - 1):
        caching(*inputs(seed))
    computed = caching(*inputs(5), options={"tokens": 2})
    torch.testing.assert_close(caching(*inputs(5), options={"tokens": 2}), computed, atol=1e-5, rtol=0)
    assert any(caching.run.evaluation.predicted_calls.values())


@pytest.mark.parametrize("how", ["#.", "#. merged"])
def test_a_conditioning_whose_tokens_stay_is_left_alone(how):
    caching = bench(how, "#..")
    caching(*inputs(0, batch=2), conditionings=("a", "b"))
    options, signature = {"tokens": 2}, (1, tuple(inputs()[0].shape[1:]))
    caching.run.begin(next(caching.sigmas))
    evaluate(caching.run, ("a",), signature, lambda: caching.model(*inputs(5), options), caching.mounts)
    before = caching.run.evaluation.predicted_calls.copy()
    evaluate(caching.run, ("b",), signature, lambda: caching.model(*inputs(5), {}), caching.mounts)
    assert not any(before.values())
    assert caching.run.evaluation.predicted_calls["mlp"] == caching.run.sites["mlp"]
    assert caching.run.restarts == 0


def test_what_is_kept_of_other_shapes_is_given_back():
    caching = bench("#.", "#..")
    caching(*inputs(0))
    whole = caching.run.store.bytes
    caching(*inputs(0), options={"tokens": 2})
    assert 0 < caching.run.store.bytes < whole

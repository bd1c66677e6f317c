"""Outputs of modules and of the model that are not finite: they are not kept, and the report says so."""

import pytest
import torch
from torch import nn
from toy import Bench, Double, Single, inputs, plan, standing, toy

from cache_core import OUTPUT, Kind
from cache_core.store import Rung


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


def after(work, look):
    def call(*given):
        result = work(*given)
        look()
        return result

    return call


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "rung", [Rung(offloaded=o, eight_bit=e) for o in (False, True) for e in (False, True)], ids=str
)
def test_a_module_output_that_is_not_finite_never_enters_a_history(rung, value, monkeypatch):
    model = toy((Clamped, Double), (Single,))
    bench, mlp = Bench(model, plan("#.#.", order=2)), model.double_blocks[0].img_mlp
    standing(rung)(bench.run)
    seen = []
    look = after(bench.run.begin, lambda: bench.run.evaluations[-1:] and seen.append(all_finite(bench.run.store)))
    monkeypatch.setattr(bench.run, "begin", look)
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

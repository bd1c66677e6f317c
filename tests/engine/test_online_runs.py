"""A run that decides by the first block's input, or by the state: on the toy, one step at a time."""

import gc
import math
import weakref

import pytest
import torch
from toy import WIDTH, Bench, Double, inputs, toy

from cache_core import MODULES, Frame, Kind, Plan
from cache_core.run.engine import evaluate
from cache_core.run.readings import distance
from cache_core.schedule import Displacement, Modulated, Online

STEPS = 8


def planned(threshold, indicator=None, **how):
    return Plan(Online(MODULES, indicator or Modulated(), threshold, **how), merge=True)


def bench(threshold, model=None, **how):
    return Bench(model or toy(), planned(threshold, **how), steps=STEPS)


def marks(run):
    return "".join("." if e.predicted_calls[Kind.MLP] else "#" for e in run.evaluations)


def states():
    """Images that change by a tenth from step to step."""
    image, time, text = inputs()
    return [(image * 1.1**step, time, text) for step in range(STEPS)]


def block_input(model, image, time, _):
    """The input of the toy's first attention: its modulation adds the time."""
    return image + model.time(time.view(-1, 1, 1))


@torch.no_grad()
def test_a_threshold_of_zero_computes_all_bit_identical_and_each_block_once():
    model = toy()
    calls, own = [], Double.forward
    run = bench(0.0, model)
    for given in states():
        plain = model(*given, {})
        assert torch.equal(run(*given), plain)
    assert marks(run.run) == "#" * STEPS

    def counted(self, *args, **kwargs):
        out = own(self, *args, **kwargs)
        calls.append(self)  # a forward that is left early does not come here
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Double, "forward", counted)
        bench(0.0, model)(*states()[0])
    assert calls == list(model.double_blocks)


@torch.no_grad()
def test_an_infinite_threshold_computes_the_first_and_the_last():
    run = bench(math.inf)
    for given in states():
        run(*given)
    assert marks(run.run) == "#" + "." * (STEPS - 2) + "#"


@torch.no_grad()
def test_the_decisions_are_those_of_the_rule_on_the_input_of_the_first_attention():
    model, threshold = toy(), 0.25
    read = [block_input(model, *given) for given in states()]
    changes = [0.0, *(distance(now, before) for before, now in zip(read, read[1:], strict=False))]
    run = bench(threshold, model)
    for given in states():
        run(*given)
    table = planned(threshold).schedule.replayed(changes, run.run.timeline)
    assert marks(run.run) == "".join("#" if row else "." for row in table.rows)
    assert set(marks(run.run)) == {"#", "."}


@torch.no_grad()
def test_a_reused_step_adds_the_last_residual_to_its_own_input_exactly():
    model = toy(single=())
    run, (first, second) = bench(math.inf, model), states()[:2]
    residual = run(*first) - first[0]
    assert torch.equal(run(*second), second[0] + residual)


@torch.no_grad()
def test_the_first_call_of_an_evaluation_decides_for_all():
    run = bench(math.inf)
    for sigma in run.run.timeline.sigmas[:3]:
        run.run.begin(sigma)
        for name, given in (("a", inputs(1)), ("b", inputs(2))):
            evaluate(run.run, (name,), "shape", lambda given=given: run.model(*given, {}), run.mounts)
    residuals = [e.predicted_calls[Kind.BLOCKS] for e in run.run.evaluations]
    assert residuals == [0, 6, 6]  # of two streams and one, for each of two calls


@torch.no_grad()
def test_an_input_of_another_shape_computes():
    run, (image, time, text) = bench(math.inf), inputs()
    for count in (5, 5, 4, 4):
        run(image[:, :count], time, text)
    assert marks(run.run) == "#.#."


class Inlined(Double):
    """A block that works past the forward of its linear layers."""

    def forward(self, img, txt, vec, pe, attn_mask=None, transformer_options=None):
        img += img.new_ones(WIDTH)
        return img, txt


@torch.no_grad()
def test_a_first_block_that_does_not_show_its_input_runs_once_and_everything_is_computed():
    model = toy(double=(Inlined, Double))
    run = bench(math.inf, model)
    for given in states():
        assert torch.equal(run(*given), model(*given, {}))
    assert marks(run.run) == "#" * STEPS
    assert any("does not show its input" in reason for reason in run.run.demotions)


@torch.no_grad()
def test_a_first_block_that_is_left_out_has_everything_computed():
    run, skipped = bench(math.inf), {"skipped": [("double", 0)]}
    for given in states():
        assert torch.equal(run(*given, options=skipped), run.model(*given, skipped))
    assert any("does not show its input" in reason for reason in run.run.demotions)


@torch.no_grad()
def test_an_error_in_the_first_block_is_the_callers_and_leaves_nothing_behind():
    run, own = bench(math.inf), dict(vars(toy().double_blocks[0]))
    with pytest.raises(RuntimeError):
        run(torch.zeros(1, 2, WIDTH + 1), *inputs()[1:])
    assert vars(run.model.double_blocks[0]).keys() == own.keys()
    assert "forward" not in vars(run.model.double_blocks[0].img_attn.qkv)


def test_a_compiled_model_is_not_looked_into():
    run = bench(math.inf)
    run.mounts.compiled()
    with torch.no_grad():
        for given in states():
            assert torch.equal(run(*given), run.model(*given, {}))
    assert any("compiled" in reason for reason in run.run.demotions)


@torch.no_grad()
def test_the_state_decides_before_the_model_is_called():
    run = bench(0.25, indicator=Displacement(), summed=False)
    sigmas = run.run.timeline.sigmas
    decided = [bool(run.run.begin(s, state=given[0]).predicted) for s, given in zip(sigmas, states(), strict=False)]
    assert decided == [False, True, True, False, True, True, False, False]  # 1.1^3 - 1 passes a quarter; the last step


@torch.no_grad()
def test_without_a_state_to_read_everything_is_computed():
    run = bench(math.inf, indicator=Displacement(), frame=Frame(1, 0), summed=False)
    for given in states():
        run(*given)
    assert marks(run.run) == "#" * STEPS


@torch.no_grad()
def test_nothing_read_outlasts_the_run():
    run, given = bench(math.inf), inputs()
    run(*given)
    reader = weakref.ref(run.run._verdict._reader._before)
    run.run.close()
    gc.collect()
    assert reader() is None

"""Drawings of a run show its states, and the curves of its plan, in one picture."""

import re
from pathlib import Path

import torch
from toy import Bench, inputs, toy

from cache_core import MODULES, OUTPUT, Extrapolation, Frame, Interval, NoiseScale, Plan, Timeline, TwoStage, report
from cache_core.saved_plan.curves import BANDS, REUSED, STAGES, Curves
from cache_core.saved_plan.saved_plan import Origin, SavedPlan
from cache_core.schedule import TableAt, from_steps
from cache_core.show import states
from cache_core.show import timeline as view
from cache_core.show.chart import Panel, Strip, lines, picture
from cache_core.show.run_chart import drawn_of
from lab.sample import flow_sigmas

STEPS = 12
PAGE = Path(__file__).resolve().parents[2] / "web" / "js" / "words.js"


def ran(*plans, evaluations=STEPS):
    """A run of the toy, of which some evaluations are done."""
    bench = Bench(toy(), *plans, steps=STEPS)
    for seed in range(evaluations):
        bench(*inputs(seed))
    bench.run.close()
    return bench.run


def drawn(run, plan=None, kind=None, finished=True):
    parts = drawn_of(run, report(run, "Toy", finished), () if plan is None else (plan,))
    return [part for part in parts if kind is None or isinstance(part, kind)]


def planned(sigmas):
    """A plan with an error curve for every stage, state and band."""
    curves = Curves(
        tuple(
            tuple(tuple((0.1, 0.2 + a + b + c) for c in range(len(BANDS))) for b in range(len(REUSED)))
            for a in range(len(STAGES))
        )
    )
    table = TableAt(from_steps(MODULES, range(0, STEPS, 3), STEPS), sigmas)
    return SavedPlan(Origin("Toy"), table, curves=curves)


def test_each_kind_is_a_strip_of_what_was_done_with_the_stage_boundary():
    run = ran(Plan(TwoStage(3, 3, 2)), Plan(Interval(OUTPUT, 2), Extrapolation(2)))
    strips = drawn(run, kind=Strip)
    assert {strip.title: strip.states for strip in strips} == view.done(run)
    assert [strip.title for strip in strips] == ["attention", "mlp", "model"]
    assert {strip.boundary for strip in strips} == {view.boundary(run)} != {None}


def test_of_a_run_that_was_stopped_the_other_steps_are_not_reached():
    run = ran(Plan(Interval(OUTPUT, 2, Frame(1))), evaluations=5)
    done = ["computed", "reused", "computed", "reused", "computed"]
    assert drawn(run, kind=Strip, finished=False)[0].states == done + [None] * (STEPS - 5)
    assert "stopped after 5 evaluations" in " ".join(drawn(run, kind=str, finished=False))


def test_the_noise_scale_is_drawn_where_there_is_one():
    scaled = ran(Plan(TwoStage(3, 3, 2), corrector=NoiseScale(1.0, 0.96)))
    panel = next(part for part in drawn(scaled, kind=Panel))
    assert panel.curves["scale"] == view.noise_scale(scaled)
    assert not drawn(ran(Plan(TwoStage(3, 3, 2))), kind=Panel)


def test_the_curves_of_a_plan_are_drawn_for_each_stage_and_frequency_band():
    plan = planned(tuple(flow_sigmas(STEPS)))
    panels = drawn(ran(plan.plan(Timeline.flow(plan.sigmas), "plan")), plan, Panel)
    words = [[word in panel.title for word in ("high noise", "low frequencies")] for panel in panels]
    assert words == [[1, 1], [1, 0], [0, 1], [0, 0]]
    assert panels[2].curves["mlp"] == plan.curves.of("low noise", "mlp", "low")


def test_words_are_broken_to_lines_that_the_picture_holds():
    words = " ".join(["word"] * 60)
    assert " ".join(lines(words)) == words
    assert max(map(len, lines(words))) <= 110


def test_the_page_has_words_for_the_same_states_of_a_step():
    known = {states.COMPUTED, states.REUSED, states.PREDICTED, states.RESTING, states.OPEN}
    for words in PAGE.read_text(encoding="utf-8").split("  zh: {"):
        named = set(re.findall(r"is_(\w+): \"", words))
        assert {word for word in named if not word.startswith("guidance_")} == known | {"change"}
        assert {word.removeprefix("guidance_") for word in named} - {"change"} <= known  # of the negative prompt alone


def test_a_picture_shows_each_part_and_survives_values_that_cannot_be_drawn():
    strip = Strip("attention", ["computed", "reused", "predicted", "resting", None], boundary=2)
    wild = Panel("drift", {"a": [0.0, 1e-3, float("nan"), 1.0], "b": [0.0] * 4}, log=True)
    flat, empty = Panel("same", {"a": [2.0] * 4}), Panel("none", {})
    drawn = picture(["words", strip, wild, flat, empty])
    assert drawn.shape == (1, 16 + 20 + 78 + 3 * 280, 900, 3)
    assert drawn.dtype == torch.float32
    assert 0 <= float(drawn.min()) < float(drawn.max()) <= 1


def test_a_strip_draws_every_state_and_the_stage_boundary_differently():
    drawn = [
        picture([Strip("x", [state] * 3, boundary)])
        for state in ("computed", "reused", "predicted", "resting", None)
        for boundary in (None, 2)
    ]
    assert not [1 for i, a in enumerate(drawn) for b in drawn[:i] if torch.equal(a, b)]

"""A cache that was asked for and does little says why, and what to set."""

import pytest
import torch

from cache_core import OUTPUT, Plan, Run, Timeline
from cache_core.run.shortfall import LITTLE, unpredicted
from cache_core.schedule import Adaptive, Frame, Interval, Steps
from cache_core.settings import ABSettings, FEBSettings, ab, feb


def notes(plan, steps):
    return " | ".join(Run((plan,), Timeline.even(steps)).notes)


@pytest.mark.parametrize("steps", range(8, 60))
@pytest.mark.parametrize(
    ("kind", "preset"), [(ABSettings, p) for p in ab.PRESETS] + [(FEBSettings, p) for p in feb.PRESETS]
)
def test_every_preset_at_every_step_count_predicts_enough_or_says_why(kind, preset, steps):
    timeline = Timeline.even(steps)
    plan = kind.of(preset, {}).plan(timeline)
    run = Run((plan,), timeline)
    predicted = sum(row != run.table.kinds for row in run.table.rows)
    assert (predicted < LITTLE * steps) is any("predicts" in note for note in run.notes)


@pytest.mark.parametrize(
    ("plan", "steps", "words"),
    [
        (Plan(Interval(OUTPUT, 5, Frame(8, 1))), 8, ("none of 8 steps", "warmup_steps 8", "auto")),
        (Plan(Interval(OUTPUT, 5, Frame(8, 1))), 10, ("1 of 10 steps", "warmup_steps 8")),
        (Plan(Interval(OUTPUT, 1, Frame(2, 1))), 20, ("none of 20 steps", "intervals")),
        (Plan(Interval(OUTPUT, 5, Frame(1, 1, 0.45, 0.5))), 20, ("start_percent 0.45 to end_percent 0.5",)),
        (Plan(Steps(OUTPUT, tuple(range(20)))), 20, ("none of 20 steps", "list of computed steps")),
        (Plan(Adaptive(OUTPUT, 0.1, 5, Frame(19, 1))), 20, ("warmup_steps 19",)),
        (Plan(Interval(OUTPUT, 3)), 6, ("6 steps leave nothing",)),
    ],
)
def test_the_reason_names_the_widgets(plan, steps, words):
    assert all(word in notes(plan, steps) for word in words)


def test_rising_sigmas_say_so_and_compute():
    run = Run((Plan(Interval(OUTPUT, 3)),), Timeline.flow(tuple(i / 20 for i in range(21))))
    assert any("sigmas rise" in note for note in run.notes)
    assert set(run.table.rows) == {OUTPUT}


def finished(plan, sigmas, computed=True):
    """A run that was asked at `sigmas`, with one call of the model at each."""
    run = Run((plan,), Timeline.even(20))
    for sigma in sigmas:
        run.begin(sigma)
        with run.calling(("a",), "s"):
            if computed:
                run.remember(next(iter(OUTPUT)), "model", torch.zeros(1, 4))
    return run


def test_after_the_run_it_is_said_why_nothing_was_predicted():
    plan, sigmas = Plan(Interval(OUTPUT, 3, Frame(2, 1))), Timeline.even(20).sigmas[:-1]
    assert "leaves those steps out" in unpredicted(finished(plan, sigmas[:2]))
    assert "past ComfyUI's wrappers" in unpredicted(finished(plan, sigmas, computed=False))
    adaptive = Plan(Adaptive(OUTPUT, 0.01, 5, Frame(2, 1)))
    assert "tolerance" in unpredicted(finished(adaptive, sigmas))


def test_nothing_is_said_where_there_was_nothing_to_predict():
    assert unpredicted(finished(Plan(Interval(OUTPUT, 1)), Timeline.even(20).sigmas[:-1])) == ""

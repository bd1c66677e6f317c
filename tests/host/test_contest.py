"""Cache Contest in a real ComfyUI: all at the same work, fewer steps among them, and it goes on where it stopped."""

import re

import pytest
import torch
from test_calibrate import Counter, sampler_of, sigmas_of
from test_learning import model, prompt  # noqa: F401 (fixtures)

from lab.condition import UNCONDITIONAL

pytestmark = pytest.mark.usefixtures("plans")
STEPS = 16
ASKED = {"target_speedup": 2.0, "methods": "MagCache, FORA", "curves": "both", "pictures": 1, "contest_budget": 12}


@pytest.fixture
def contest(pack):
    @torch.inference_mode()
    def run(model, **asked):  # noqa: F811
        return pack.NODE_CLASS_MAPPINGS["CacheContest"]().compare(
            model,
            prompt(1),
            prompt(UNCONDITIONAL),
            {"samples": torch.zeros(2, 16, 16, 16)},
            asked.pop("sampler", sampler_of()),
            sigmas_of(model, STEPS),
            7,
            1.0,
            **{**ASKED, **asked},
        )["result"]

    return run


def rows_of(table):
    """Cells of each entrant's line."""
    return [re.split(r"  +", line) for line in table.splitlines()[2:] if "  " in line]


def apart_from_seconds(table):
    return [[*cells[:2], *cells[3:]] for cells in rows_of(table)]


def test_all_take_part_at_the_same_work_and_the_winner_is_a_plan(model, contest):  # noqa: F811
    table, pictures, plan = contest(model)
    lines = {cells[0]: cells[1:] for cells in rows_of(table)}
    for name in ("AB-Cache learned", "FEB-Cache learned", "8 steps", "8 steps of ipndm", "MagCache, released", "FORA"):
        assert abs(float(lines[name][0]) - STEPS / 2) <= 1, name
    assert pictures.shape[-1] == 3
    assert "comes closest" in table.splitlines()[0]
    assert plan.table.kinds


def test_a_contest_goes_on_where_it_was_interrupted(model, contest):  # noqa: F811
    from comfy.model_management import InterruptProcessingException

    with Counter(model) as whole:
        expected = contest(model)[0]
    with Counter(model, stop=60) as first, pytest.raises(InterruptProcessingException):
        contest(model)
    with Counter(model) as second:
        table = contest(model)[0]
    assert second.count < whole.count
    assert first.count + second.count <= whole.count + STEPS
    assert apart_from_seconds(table) == apart_from_seconds(expected)


def test_a_small_budget_names_those_that_it_does_not_reach(model, contest):  # noqa: F811
    table, *_ = contest(model, contest_budget=5)
    assert "the budget ends before it" in table


def test_with_a_sampler_that_asks_twice_in_a_step_all_have_half_its_evaluations(model, contest):  # noqa: F811
    table, *_ = contest(model, sampler=sampler_of("heun"), methods="MagCache")
    assert "at 15.5 evaluations" in table.splitlines()[0]  # the last of 16 steps asks once
    lines = {cells[0]: float(cells[1]) for cells in rows_of(table) if cells[0]}
    assert lines["uncached"] == 2 * STEPS - 1
    for name in ("AB-Cache learned", "FEB-Cache learned", "8 steps", "16 steps of ipndm", "MagCache, released"):
        assert abs(lines[name] - 15.5) <= 1, name


@pytest.mark.parametrize("asked", [{"pictures": 0}, {"contest_budget": 0}, {"target_speedup": float("nan")}])
def test_numbers_out_of_range_are_named_before_anything_is_sampled(model, contest, asked):  # noqa: F811
    with Counter(model) as runs, pytest.raises(ValueError, match=f"{next(iter(asked))} is .*allowed is"):
        contest(model, **asked)
    assert not runs.count


def test_an_unknown_method_is_named_with_those_that_are_known(model, contest):  # noqa: F811
    with pytest.raises(ValueError, match="PearCache.*MagCache"):
        contest(model, methods="PearCache")


def test_a_budget_below_the_price_of_those_that_always_take_part_is_refused_at_once(model, contest):  # noqa: F811
    with Counter(model) as runs, pytest.raises(ValueError, match="contest_budget is 5; 4 pictures .* cost 12"):
        contest(model, pictures=4, contest_budget=5)
    assert runs.count == 0


def test_parts_of_the_model_are_tried_for_the_methods_that_learn_from_them(model, contest):  # noqa: F811
    asked = {"methods": "Learning-to-Cache, ProfilingDiT", "curves": "learned on this model", "target_speedup": 1.4}
    table, *_ = contest(model, **asked, contest_budget=40)
    lines = {cells[0]: float(cells[1]) for cells in rows_of(table) if cells[0]}
    for name in ("Learning-to-Cache, learned", "ProfilingDiT, learned"):
        assert STEPS / 2 <= lines[name] < STEPS, name
    table, *_ = contest(model, **asked, contest_budget=5)
    assert "no part of the model was tried" in table

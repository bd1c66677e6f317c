"""Plans of the wrong kind, and widgets that leave learning, are told before the run."""

import json
import sys

import pytest


def test_a_plan_of_the_wrong_kind_is_told_before_the_run(answer):
    asked = {"class": "ABCacheApply", "plan": {"name": "bundled/flux_feb_released.safetensors"}}
    assert "Connect it to FEB-Cache Apply" in answer(json.dumps(asked).encode())[1]["error"]


@pytest.mark.parametrize(
    ("widgets", "left"),
    [
        ({"preset": "auto"}, False),
        ({"preset": "auto", "interval": 4}, True),
        ({"preset": "custom"}, True),
        ({"preset": "custom", "learn": False}, False),
        ({"preset": "paper"}, False),
    ],
)
def test_widgets_that_leave_learning_say_so(ask, widgets, left):
    found = ask("ABCacheApply", **{"learn": True} | widgets)
    assert (found["left"], found["learns"] > 0) == (left, widgets == {"preset": "auto"})


def test_an_edit_of_a_run_that_learns_says_that_learning_is_left(ask):
    found = ask("ABCacheApply", preset="auto", learn=True, edit={"kind": "model", "steps": [9], "compute": False})
    assert found["left"]
    assert found["learns"] == 0


@pytest.mark.parametrize("there", [[], ["bundled/one.safetensors"], ["bundled/one.safetensors", "mine.safetensors"]])
def test_before_the_model_has_run_here_it_is_said_that_a_plan_may_be_there(ask, pack, monkeypatch, there):
    folder = sys.modules[f"{pack.__name__}.nodes.comfy.plan_folder"]
    monkeypatch.setattr(folder, "available", lambda: there)
    assert ask("ABCacheApply", preset="auto", learn=True)["kept"] == ("mine.safetensors" in there)
    assert not ask("ABCacheApply", preset="auto", learn=False)["kept"]

"""One Apply node for two models that are sampled in turn, in ComfyUI's real page: two_models.mjs drives it in headless
Chromium, the tests say what has to come of it."""

import json
import sys

import pytest


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive) -> dict:
    return drive("two_models.mjs", request.param)


@pytest.fixture
def python_says(pack):
    """What the pack's own code says to the node's widgets, in each of these samplings; both as one."""
    routes = sys.modules[f"{pack.__name__}.nodes.page.routes"]

    def cells(seen: dict, *samplings: dict) -> list[str]:
        asked = [{"class": "ABCacheApply", "widgets": seen["widgets"], "sampling": sampling} for sampling in samplings]
        return [state for one in asked for state in routes.answer(json.dumps(one).encode())[1]["cells"]["model"]]

    return cells


def test_our_scripts_say_nothing_and_ask_no_other_host(facts):
    assert facts["noise"] == facts["abroad"] == []


def test_both_halves_are_shown_as_one_sampling_with_a_mark_where_the_model_changes(facts, python_says):
    planned, halves = facts["planned"], ({"steps": 20, "end": 10}, {"steps": 20, "start": 10})
    assert planned["cells"]["model"] == python_says(planned, *halves)
    assert len(planned["cells"]["model"]) == 20
    assert planned["changes"] == 1
    assert "20 steps (KSampler (Advanced), simple), 10 + 10 by two models" in planned["words"]


def test_steps_of_a_pair_cannot_be_changed_and_it_says_why(facts):
    assert not facts["planned"]["editable"]
    assert "Put each model on a node of its own" in facts["planned"]["words"]
    assert facts["alone"]["editable"]


def test_progress_goes_on_over_both_halves(facts):
    running = [(words, ahead) for words, ahead in facts["filling"] if words.startswith("Running")]
    done = [int(words.split()[1]) for words, _ in running]
    assert running[0] == ("Running: 0 of 20 steps.", 20)
    assert done == sorted(done)
    assert all(ahead == 20 - count for count, (_, ahead) in zip(done, running, strict=True))
    assert any(count > 10 for count in done)
    assert facts["parts"] == sorted(facts["parts"])
    assert {*facts["parts"]} == {0, 1}


def test_after_the_run_both_halves_are_what_was_done(facts):
    assert facts["ran"]["cells"] == facts["planned"]["cells"]
    assert "instead of" in facts["ran"]["front"].splitlines()[0]


def test_a_reload_keeps_both_halves(facts):
    assert facts["reloaded"]["cells"] == facts["ran"]["cells"]
    assert facts["reloaded"]["words"].splitlines()[0] == facts["ran"]["words"].splitlines()[0]


def test_the_half_that_is_sampled_first_comes_first_whichever_input_its_model_is_at(facts, python_says):
    halves = {"steps": 20, "end": 12}, {"steps": 20, "start": 12}
    assert facts["swapped"]["cells"]["model"] == python_says(facts["swapped"], *halves)


def test_behind_another_node_with_both_models_each_output_leads_to_its_own_sampler(facts):
    assert len(facts["chained"]) == 2


def test_a_guider_with_both_models_is_one_sampling(facts):
    if "guider" not in facts:
        pytest.skip("this version of ComfyUI has no guider of two models")
    assert facts["guider"]["changes"] == 0
    assert facts["guider"]["editable"]
    assert "16 steps (SamplerCustomAdvanced, simple)" in facts["guider"]["words"]


def test_the_second_output_without_its_input_is_an_error_that_says_what_to_connect(facts):
    node, number, message = facts["blocked"]
    assert (node, number) == ("KSamplerAdvanced", "6")
    assert "Connect the second model to it" in message

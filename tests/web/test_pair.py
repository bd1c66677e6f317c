"""Both Apply nodes on one model, in ComfyUI's real page: pair.mjs drives it in headless Chromium, the tests here say
what has to come of it."""

import json
import sys

import pytest

from cache_core import parse_steps

FEB, AB = "FEBCacheApply", "ABCacheApply"


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive) -> dict:
    return drive("pair.mjs", request.param)


@pytest.fixture
def python_says(pack):
    """What the pack's own code says to the widgets of both nodes, in a sampling of 24 steps; stages as before the
    first run."""
    routes = sys.modules[f"{pack.__name__}.nodes.page.routes"]

    def cells(seen: dict, cls: str, other: str) -> dict:
        beside = [{"class": other, "widgets": seen[other]["widgets"]}]
        asked = {"class": cls, "widgets": seen[cls]["widgets"], "beside": beside, "sampling": {"steps": 24}}
        return routes.answer(json.dumps(asked).encode())[1]["cells"]

    return cells


def test_our_scripts_say_nothing_and_ask_no_other_host(facts):
    assert facts["noise"] == facts["abroad"] == []


def test_each_node_shows_its_kinds_of_the_one_table_that_both_make(facts, python_says):
    assert facts["both"][FEB]["cells"] == python_says(facts["both"], FEB, AB)
    assert facts["both"][AB]["cells"] == python_says(facts["both"], AB, FEB)
    assert (
        facts["both"][FEB]["cells"]["mlp"].count("resting")
        == facts["both"][AB]["cells"]["model"].count("predicted")
        > 0
    )


def test_feb_cache_says_why_its_steps_cannot_be_changed_and_a_click_changes_nothing(facts):
    assert not facts["both"][FEB]["editable"]
    assert "while AB-Cache is on this model" in facts["both"][FEB]["words"]
    assert facts["refused"] == facts["both"]


def test_a_click_on_ab_caches_strip_changes_this_step_and_makes_a_list_of_it(facts, python_says):
    before, clicked = facts["both"][AB]["cells"]["model"], facts["clicked"][AB]
    assert [step for step in range(24) if before[step] != clicked["cells"]["model"][step]] == [7]
    assert clicked["widgets"]["preset"] == "custom"
    computed = [step for step, state in enumerate(clicked["cells"]["model"]) if state == "computed"]
    assert parse_steps(clicked["widgets"]["computed_steps"]) == tuple(computed)
    assert clicked["cells"] == python_says(facts["clicked"], AB, FEB)


def test_dragging_changes_all_steps_to_what_the_first_became_and_undo_takes_it_back_as_one(facts):
    before, dragged = facts["clicked"][AB]["cells"]["model"], facts["dragged"][AB]["cells"]["model"]
    assert facts["pending"] == [12, 13, 14, 15]
    assert len(set(dragged[12:16])) == 1
    assert dragged[12] != before[12]
    assert dragged[:12] + dragged[16:] == before[:12] + before[16:]
    assert facts["undone"][AB]["widgets"] == facts["clicked"][AB]["widgets"]


def test_a_run_fills_both_strips_with_what_it_did(facts):
    for cls in (FEB, AB):
        assert facts["ran"][cls]["ahead"] == 0
        assert facts["ran"][cls]["words"].startswith("Last picture")
    assert (
        facts["ran"][FEB]["cells"]["mlp"].count("resting") == facts["ran"][AB]["cells"]["model"].count("predicted") > 0
    )


def test_where_no_sampler_is_found_it_is_said_and_the_last_runs_steps_are_shown(facts):
    assert "24 steps as in the last run. No sampler was found" in facts["lost"][AB]["words"]
    assert facts["lost"][AB]["cells"]["model"] == facts["undone"][AB]["cells"]["model"]


@pytest.fixture
def inside(facts) -> dict:
    if not facts["subgraphs"]:
        pytest.skip("this front end has no subgraphs")
    return facts


def test_a_sampler_inside_a_subgraph_is_seen_with_the_steps_that_are_set_outside(inside):
    for cls in (FEB, AB):
        assert inside["inside"][cls]["cells"] == inside["undone"][cls]["cells"]
        assert {len(states) for states in inside["promoted"][cls]["cells"].values()} == {16}


def test_nodes_in_and_out_of_a_subgraph_see_each_other_and_what_is_set_outside(inside):
    for seen in (inside["nested"], inside["ranInside"]):
        assert seen[FEB]["cells"]["mlp"].count("resting") == seen[AB]["cells"]["model"].count("predicted") > 0


def test_presets_follow_widgets_that_a_subgraph_shows(inside, pack):
    ab = sys.modules[f"{pack.__name__}.nodes.ab_cache_apply"]
    assert (
        inside["chosen"].items()
        >= {"preset": "quality", "warmup_steps": {**ab.DEFAULTS, **ab.PRESETS["quality"]}["warmup_steps"]}.items()
    )
    assert inside["moved"].items() >= {"preset": "custom", "warmup_steps": 9}.items()

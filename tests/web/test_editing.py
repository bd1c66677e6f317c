"""The timeline before anything runs: editing.mjs drives it in headless Chromium, the tests say what has to come of
it."""

import json
import sys
import urllib.request

import pytest


@pytest.fixture(
    scope="module",
    params=[
        ("ComfyUI", "classic", "dark"),
        ("ComfyUI", "classic", "light"),
        ("ComfyUI", "vue", "dark"),
        ("stand-in", "classic", "dark"),
        ("stand-in", "vue", "light"),
    ],
    ids="-".join,
)
def facts(request) -> dict:
    server, *look = request.param
    return request.getfixturevalue("drive" if server == "ComfyUI" else "drive_stand_in")("editing.mjs", server, *look)


@pytest.fixture
def python_says(pack):
    """What the pack's own code says to a node's widgets."""
    routes = sys.modules[f"{pack.__name__}.nodes.page.routes"]

    def cells(seen: dict, **sampling) -> dict:
        asked = {"class": "FEBCacheApply", "widgets": seen["widgets"], "sampling": sampling}
        return routes.answer(json.dumps(asked).encode())[1]["cells"]

    return cells


def test_our_scripts_say_nothing_in_the_console_and_ask_no_other_host(facts):
    assert facts["noise"] == []
    assert set(facts["asked"]) == {"/api/feb_cache/preview", "/api/feb_cache/state"}
    assert facts["abroad"] == []


def test_a_node_dragged_in_shows_the_plan_of_twenty_steps_and_says_why_twenty(facts, python_says):
    assert facts["fresh"]["cells"] == python_says(facts["fresh"])
    assert "No steps are known, 20 are an example. No sampler was found" in facts["fresh"]["words"]


def test_changing_a_widget_changes_the_strip_to_pythons_plan(facts, python_says):
    assert facts["moved"]["widgets"]["attention_interval"] != facts["fresh"]["widgets"]["attention_interval"]
    assert facts["moved"]["cells"] != facts["fresh"]["cells"]
    assert facts["moved"]["cells"] == python_says(facts["moved"])


def test_a_click_on_a_cell_changes_this_cell_only(facts, python_says):
    clicked, before = facts["clicked"], facts["moved"]["cells"]
    changed = [
        (kind, step) for kind in before for step in range(20) if before[kind][step] != clicked["cells"][kind][step]
    ]
    assert changed == [("mlp", clicked["at"])]
    assert clicked["widgets"]["edited_steps"]
    assert clicked["cells"] == python_says(clicked)


def test_dragging_over_cells_changes_them_all_as_one_undo(facts):
    assert facts["dragged"]["cells"]["attention"][2:5] == ["reused"] * 3
    assert facts["undone"]["cells"] == facts["clicked"]["cells"]
    assert facts["undone"]["widgets"] == facts["clicked"]["widgets"]


def test_an_edit_that_cannot_be_is_explained_and_changes_nothing(facts):
    assert facts["refused"]["cells"] == facts["dragged"]["cells"]


def test_save_and_load_keep_the_values(facts):
    assert facts["loaded"]["widgets"] == facts["undone"]["widgets"]
    assert facts["loaded"]["cells"] == facts["undone"]["cells"]
    assert facts["saved"] == list(facts["undone"]["widgets"].values())


def test_every_cell_has_a_label(facts):
    assert facts["fresh"]["labels"]
    assert facts["moved"]["labels"]


def without_plans(info: dict) -> dict:
    """What a server says of a node, without the plans that it has, which other tests save."""
    given = info["input"].get("required", {})
    return {**info, "input": {**info["input"], "required": {k: v for k, v in given.items() if k != "plan_name"}}}


def test_the_stand_in_says_of_the_nodes_what_comfyui_says(url, stand_in, pack):
    said, wanted = (told(server, "/object_info") for server in (stand_in, url))
    assert set(said) == set(pack.NODE_CLASS_MAPPINGS)
    for node, info in said.items():
        shared = info.keys() & wanted[node].keys()  # search_aliases are not in every version
        said_of, wanted_of = without_plans(info), without_plans(wanted[node])
        assert {key: said_of[key] for key in shared} == {key: wanted_of[key] for key in shared}
        assert info.keys() - shared <= {"search_aliases"}


def told(server: str, path: str) -> dict:
    with urllib.request.urlopen(server + path, timeout=30) as answer:
        return json.loads(answer.read())

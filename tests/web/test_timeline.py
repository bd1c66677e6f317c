"""The timeline in ComfyUI's real page: timeline.mjs drives it in headless Chromium, the tests here say what has to come of it."""

import json
import sys
from pathlib import Path

import pytest

SAVED = Path(__file__).parent / "saved"


@pytest.fixture(scope="module", params=[("classic", "dark"), ("classic", "light"), ("vue", "dark")], ids="-".join)
def facts(request, drive) -> dict:
    return drive("timeline.mjs", *request.param, SAVED / "flux_feb_cache_before_timeline.json")


@pytest.fixture
def python_says(pack):
    """What the pack's own code says to a node's widgets."""
    routes = sys.modules[f"{pack.__name__}.nodes.routes"]

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
    assert "20 steps assumed: no sampler was found" in facts["fresh"]["words"]


def test_moving_the_slider_changes_the_strip_to_pythons_plan(facts, python_says):
    assert facts["moved"]["widgets"]["attention_interval"] != facts["fresh"]["widgets"]["attention_interval"]
    assert facts["moved"]["cells"] != facts["fresh"]["cells"]
    assert facts["moved"]["cells"] == python_says(facts["moved"])


def test_a_click_on_a_cell_changes_this_cell_only(facts, python_says):
    clicked, before = facts["clicked"], facts["moved"]["cells"]
    changed = [(kind, step) for kind in before for step in range(20) if before[kind][step] != clicked["cells"][kind][step]]
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


def test_a_workflow_from_before_the_timeline_loads_with_its_values(facts):
    saved = json.loads((SAVED / "flux_feb_cache_before_timeline.json").read_text(encoding="utf-8"))
    values = next(node["widgets_values"] for node in saved["nodes"] if node["type"] == "FEBCacheApply")
    assert list(facts["old"]["widgets"].values()) == [*values, ""]
    assert "28 steps (SamplerCustomAdvanced, simple)" in facts["old"]["words"]


def test_the_strip_fills_while_sampling(facts):
    running = [(words, ahead) for words, ahead in facts["filling"] if words.startswith("running")]
    left = [ahead for _, ahead in running]
    assert running[0] == ("running: 0 of 24 steps", 48)
    assert left == sorted(left, reverse=True)
    assert any(0 < ahead < 48 for ahead in left)


def test_after_the_run_the_strip_says_what_was_done_and_measured(facts):
    words = facts["ran"]["words"]
    assert facts["ran"]["cells"]["attention"].count("computed") < 24
    assert all(word in words for word in ("last run", "as measured", "peak cache", "MB", "by the seconds of the last run"))
    assert "estimated" not in words


def test_a_reload_keeps_the_last_run(facts):
    assert facts["reloaded"]["cells"] == facts["ran"]["cells"]
    assert facts["reloaded"]["words"].splitlines()[0] == facts["ran"]["words"].splitlines()[0]


def test_a_plan_that_comes_with_the_pack_is_shown_and_cannot_be_edited(facts):
    assert len(facts["given"]["cells"]["attention"]) == 24
    assert facts["given"]["cells"] != facts["ran"]["cells"]
    assert "The plan says what each step does" in facts["given"]["words"]
    assert not facts["given"]["editable"]


def test_every_cell_has_a_label(facts):
    assert all(facts[state]["labels"] for state in ("fresh", "moved", "ran"))


def test_the_wheel_zooms_over_the_strip_as_it_does_elsewhere(facts):
    over, elsewhere = facts["wheel"]
    assert over == pytest.approx(elsewhere)

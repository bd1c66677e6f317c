"""The timeline while a workflow runs, in ComfyUI's real page: timeline.mjs drives it in headless Chromium, the tests
say what has to come of it."""

import json
from pathlib import Path

import pytest

SAVED = Path(__file__).parent / "saved"


@pytest.fixture(scope="module", params=[("classic", "dark"), ("classic", "light"), ("vue", "dark")], ids="-".join)
def facts(request, drive) -> dict:
    return drive("timeline.mjs", *request.param, SAVED / "flux_feb_cache_before_timeline.json")


def test_our_scripts_say_nothing_in_the_console_and_ask_no_other_host(facts):
    assert facts["noise"] == []
    assert set(facts["asked"]) == {"/api/feb_cache/preview", "/api/feb_cache/state"}
    assert facts["abroad"] == []


def test_a_workflow_from_before_the_timeline_loads_with_its_values(facts):
    saved = json.loads((SAVED / "flux_feb_cache_before_timeline.json").read_text(encoding="utf-8"))
    values = next(node["widgets_values"] for node in saved["nodes"] if node["type"] == "FEBCacheApply")
    assert list(facts["old"]["widgets"].values()) == [*values, "", True]
    assert "28 steps (SamplerCustomAdvanced, simple)" in facts["old"]["words"]


def test_the_strip_fills_while_sampling(facts):
    running = [(words, ahead) for words, ahead in facts["filling"] if words.startswith("Running")]
    left = [ahead for _, ahead in running]
    assert running[0] == ("Running: 0 of 24 steps.", 48)
    assert left == sorted(left, reverse=True)
    assert any(0 < ahead < 48 for ahead in left)


def test_after_the_run_the_strip_says_what_was_done_and_measured(facts):
    words = facts["ran"]["words"]
    assert facts["ran"]["cells"]["attention"].count("computed") < 24
    assert all(word in words for word in ("Last picture", "instead of", "MB", "Next picture: About"))
    assert "guess" not in words
    assert facts["ran"]["front"].count("MB") == 1


def test_a_reload_keeps_the_last_run(facts):
    assert facts["reloaded"]["cells"] == facts["ran"]["cells"]
    assert facts["reloaded"]["words"].splitlines()[0] == facts["ran"]["words"].splitlines()[0]


def test_a_plan_that_comes_with_the_pack_is_shown_and_cannot_be_edited(facts):
    assert len(facts["given"]["cells"]["attention"]) == 24
    assert facts["given"]["cells"] != facts["ran"]["cells"]
    assert "The plan says what each step does" in facts["given"]["words"]
    assert not facts["given"]["editable"]


def test_every_cell_has_a_label(facts):
    assert all(facts[state]["labels"] for state in ("old", "ran"))


def test_the_wheel_zooms_over_the_strip_as_it_does_elsewhere(facts):
    over, elsewhere = facts["wheel"]
    assert over == pytest.approx(elsewhere)

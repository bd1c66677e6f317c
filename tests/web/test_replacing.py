"""Nodes of packs that are missing: what ComfyUI knows of ours in their place, and a saved workflow with one, in its
real page: replacing.mjs drives it in headless Chromium."""

import json
import sys
from pathlib import Path

import pytest

from tests.stress.server import asked, queue, result

WORKFLOW = Path(__file__).parent / "saved" / "rival_that_is_gone.json"
STEPS = 20
SAVED = {"method": "MagCache", "strength": 0.0, "curves": "as released", "threshold": 0.12}


@pytest.fixture
def replacements(pack):
    return sys.modules[f"{pack.__name__}.nodes.page.replacements"]


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive) -> dict:
    return drive("replacing.mjs", request.param, WORKFLOW)


def test_the_inputs_of_ours_that_are_set_are_there_and_all_that_are_required(pack, replacements):
    for each in replacements.MISSING:
        groups = pack.NODE_CLASS_MAPPINGS[each.new].INPUT_TYPES()
        told = {one["new_id"] for one in each.inputs}
        assert {*groups["required"]} <= told <= {*groups["required"], *groups["optional"]}, each.old
        assert len(told) == len(each.inputs), each.old


def test_what_is_taken_from_theirs_is_a_widget_of_theirs_and_within_the_range_of_ours(pack, replacements):
    for each in replacements.MISSING:
        assert {*each.taken.values()} <= {*each.widgets}, each.old
        groups = pack.NODE_CLASS_MAPPINGS[each.new].INPUT_TYPES()
        for one in each.inputs:
            kind, options = next(group[one["new_id"]] for group in groups.values() if one["new_id"] in group)[:2] or ""
            if "set_value" in one and "min" in options:
                assert options["min"] <= one["set_value"] <= options["max"], each.old
            elif "set_value" in one and isinstance(kind, list) and one["new_id"] != "method":
                assert one["set_value"] in kind, each.old


def test_every_method_that_takes_a_place_is_there(replacements):
    assert (*replacements.replaced(),) == replacements.MISSING


def test_only_methods_that_are_there_take_a_place(replacements, monkeypatch):
    monkeypatch.setattr(replacements, "METHODS", {})
    assert {each.old for each in replacements.replaced()} == {"TaylorSeer", "TaylorSeerLite"}


def test_where_comfyui_s_api_has_changed_the_nodes_load_all_the_same(replacements, monkeypatch, caplog):
    monkeypatch.setattr(replacements, "server", lambda: type("Server", (), {"node_replace_manager": None}))
    for broken in (None, type(sys)("comfy_api.latest")):
        monkeypatch.setitem(sys.modules, "comfy_api", type(sys)("comfy_api"))
        monkeypatch.setitem(sys.modules, "comfy_api.latest", broken)
        caplog.clear()
        replacements.register_replacements()
        assert "is replaced by ours" in caplog.text


def test_outside_comfyui_nothing_is_registered(replacements):
    assert replacements.server() is None
    replacements.register_replacements()


def test_a_prompt_with_a_missing_node_runs_with_ours(url):
    if "MagCache" not in asked(f"{url}/node_replacements"):
        pytest.skip("this ComfyUI replaces no missing nodes")
    loaded = {"model": ["1", 0], "positive": ["1", 1], "negative": ["1", 1], "latent_image": ["3", 0]}
    sampler = {"seed": 7, "steps": STEPS, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    theirs = {"model_type": "flux", "magcache_thresh": 0.12, "retention_ratio": 0.1, "magcache_K": 5}

    def prompt(cls, **inputs):
        nodes = {
            "1": ("TinyFlux", {}),
            "method": (cls, {"model": ["1", 0], **inputs}),
            "3": ("EmptySD3LatentImage", {"width": 128, "height": 128, "batch_size": 1}),
            "4": ("KSampler", {**loaded, **sampler, "model": ["method", 0]}),
            "5": ("TinyEnd", {"samples": ["4", 0]}),
        }
        return {name: {"class_type": kind, "inputs": given, "_meta": {}} for name, (kind, given) in nodes.items()}

    gone, ours, off = queue(
        url,
        [
            prompt("MagCache", **theirs, start_step=0, end_step=-1),
            prompt("CacheMethod", **SAVED),
            prompt("CacheMethod", **SAVED, enabled=False),
        ],
    )
    ends = [result(url, each)["outputs"]["5"]["text"] for each in (gone, ours, off)]
    assert ends[0] == ends[1] != ends[2]


def test_our_scripts_say_nothing_and_ask_no_other_host(facts):
    assert facts["noise"] == facts["abroad"] == []


def test_ours_takes_its_place_with_its_threshold(facts):
    assert [name if name != "MagCache" else "CacheMethod" for name in facts["before"]] == facts["after"]
    assert facts["widgets"] | SAVED == facts["widgets"]
    assert facts["widgets"]["enabled"]


def test_it_is_there_with_its_strip_and_runs(facts):
    assert facts["offered"]["front"]
    assert "magcache_thresh 0.12, as set" in facts["ran"]["front"]
    assert {*facts["ran"]["cells"]["attention"]} == {"computed", "reused"}


def test_the_saved_workflow_is_as_the_other_pack_saved_it(replacements):
    saved = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    node = next(node for node in saved["nodes"] if node["type"] == "MagCache")
    theirs = next(each for each in replacements.MISSING if each.old == "MagCache")
    assert len(node["widgets_values"]) == len(theirs.widgets)

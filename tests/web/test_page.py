"""The pack in ComfyUI's real page: page.mjs drives it in headless Chromium, the tests here say what has to come of
it."""

import json
from http.client import HTTPConnection
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / "example_workflows").glob("*.json"))
LINK = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
SAVED = sorted((Path(__file__).parent / "saved").glob("*.json"))  # by the first release


@pytest.fixture(scope="module", params=["classic"])
def facts(drive) -> dict:
    return drive("page.mjs", *WORKFLOWS, *SAVED)


def presets(pack) -> dict:
    return pack.NODE_CLASS_MAPPINGS["FEBCacheApply"].INPUT_TYPES()["required"]["preset"][1]["presets"]


def test_the_scripts_are_served_and_keep_quiet(facts):
    assert {Path(path).name for path in facts["served"]} == {path.name for path in (ROOT / "web" / "js").glob("*.js")}
    assert facts["noise"] == []


def test_our_scripts_ask_the_packs_own_routes_and_no_other_host(facts):
    assert set(facts["asked"]) == {"/api/feb_cache/preview", "/api/feb_cache/state"}
    assert facts["abroad"] == []


def graphs(workflow: dict) -> list[dict]:
    """A workflow and its subgraphs."""
    return [workflow, *workflow.get("definitions", {}).get("subgraphs", ())]


def links(graph: dict) -> dict[int, dict]:
    """The links of a graph, by id."""
    named = (link if isinstance(link, dict) else dict(zip(LINK, link[:6], strict=True)) for link in graph["links"])
    return {link["id"]: link for link in named}


def ends(graph: dict, at: set[int] | None = None) -> list[list]:
    """The links of a graph, or those at these nodes, without ids and places of inputs, which differ between front ends:
    see `linked`."""
    names, found = ("origin_id", "origin_slot", "target_id", "type"), links(graph).values()
    if at is not None:
        found = [link for link in found if {link["origin_id"], link["target_id"]} & at]
    return sorted([link[name] for name in names] for link in found)


def linked(graph: dict, node: dict) -> dict[str, tuple]:
    """What a node's inputs are linked to, by name."""
    by_id, given = links(graph), [each for each in node.get("inputs", ()) if each["link"]]
    return {each["name"]: (by_id[each["link"]]["origin_id"], by_id[each["link"]]["origin_slot"]) for each in given}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_loads_as_it_is_in_the_file(facts, pack, path):
    saved, shown = json.loads(path.read_text(encoding="utf-8")), facts["loaded"][path.name]
    # an official template can be newer than a front end, which drops links between its nodes and has sizes of its own
    drawn = "definitions" not in saved
    for before, after in zip(graphs(saved), graphs(shown), strict=True):
        nodes = {node["id"]: node for node in after["nodes"]}
        assert not [node["type"] for node in nodes.values() if node.get("has_errors")]
        own = None if drawn else {n["id"] for n in before["nodes"] if n["type"] in pack.NODE_CLASS_MAPPINGS}
        assert ends(after, own) == ends(before, own)
        assert nodes.keys() == {node["id"] for node in before["nodes"]}
        for node in before["nodes"]:
            there = nodes[node["id"]]
            assert there["type"] == node["type"]
            if node["type"] in pack.NODE_CLASS_MAPPINGS:
                assert there["size"] == node["size"]
            if drawn or node["type"] in pack.NODE_CLASS_MAPPINGS:
                assert (there["pos"], linked(after, there)) == (node["pos"], linked(before, node))
                had = node["widgets_values"]  # newer versions of ComfyUI give its nodes more widgets
                assert there.get("widgets_values", [])[: len(had)] == had


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.stem)
def test_a_workflow_of_the_first_release_loads_with_its_values(facts, pack, path):
    saved, shown = json.loads(path.read_text(encoding="utf-8")), facts["loaded"][path.name]
    nodes = {node["id"]: node for node in shown["nodes"]}
    assert not [node["type"] for node in nodes.values() if node.get("has_errors")]
    assert ends(shown) == ends(saved)
    for node in saved["nodes"]:
        assert linked(shown, nodes[node["id"]]) == linked(saved, node)
        assert nodes[node["id"]].get("widgets_values", []) == node["widgets_values"] + added_since(pack, node)


def added_since(pack, node: dict) -> list:
    """Defaults of the widgets that a node has got since it was saved."""
    if node["type"] not in pack.NODE_CLASS_MAPPINGS:
        return []
    inputs = pack.NODE_CLASS_MAPPINGS[node["type"]].INPUT_TYPES()
    return [
        spec[1]["default"]
        for part in ("required", "optional")
        for spec in inputs.get(part, {}).values()
        if "default" in spec[1]
    ][len(node["widgets_values"]) :]


def test_the_route_reads_no_endless_body_and_the_server_goes_on(url):
    host = url.removeprefix("http://")
    # an iterable is sent in chunks, without its length
    for body, status in ((iter([b"x" * 2**15] * 3), 413), (iter([b"{}"]), 400)):
        connection = HTTPConnection(host, timeout=30)
        connection.request(
            "POST", "/feb_cache/preview", body, {"Content-Type": "application/json"}, encode_chunked=True
        )
        answer = connection.getresponse()
        assert (answer.status, len(json.loads(answer.read())["error"]) > 20) == (status, True)
        connection.close()


def test_the_search_finds_the_node(facts):
    assert facts["found"] == [["FEBCacheApply", "FEB-Cache Apply"]]


def test_a_new_node_shows_the_values_of_its_preset(facts, pack):
    assert facts["fresh"].items() >= {"preset": "auto", **presets(pack)["auto"]}.items()


def test_choosing_a_preset_writes_its_values(facts, pack):
    assert facts["fast"] == facts["fresh"] | {"preset": "fast", **presets(pack)["fast"]}


def test_moving_another_widget_makes_it_custom(facts):
    assert facts["moved"] == facts["fast"] | {"preset": "custom", "warmup_steps": facts["fast"]["warmup_steps"] + 1}


def test_each_change_is_undone_as_one(facts):
    assert facts["undone"] == [facts["fast"], facts["fast"], facts["fresh"]]  # the second one hides the widgets again


def test_loaded_values_win_over_the_preset(facts):
    assert {name: facts["api"][name] for name in ("preset", "interval", "warmup_steps")} == {
        "preset": "fast",
        "interval": 9,
        "warmup_steps": 3,
    }

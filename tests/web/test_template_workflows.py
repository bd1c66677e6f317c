"""The example workflows that are official templates: all of the template is there, and one AB-Cache Apply does for what
is sampled."""

import hashlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = {  # of the sampling that the cache is before, at the template's own settings
    "06_flux_2_text_to_image": 20,
    "13_ltx_2_3_text_to_video_with_sound": 8,
    "12_minimax_h3_text_to_video_with_sound": 20,
    "07_qwen_image_2_1_text_to_image": 25,
    "09_wan_2_2_image_to_video": 20,
    "08_z_image_text_to_image": 25,
}
CONTENTS = {  # SHA-256 of what `content` says of the template, as comfyui-workflow-templates-json 0.1.123 has it
    "06_flux_2_text_to_image": "67e1e8984cc0ea3096662545d7996d8a11eb3b15ab896f47f33b90285ea983c0",
    "13_ltx_2_3_text_to_video_with_sound": "846f4c12ce697a888e39d3ea3da9777814fa4569d93af0f7b792633a0e7eb915",
    "12_minimax_h3_text_to_video_with_sound": "6cd07e27ea9f67cf143311dd98ded1fd68d059a89cae8ceb70088ddaa1be9b3a",
    "07_qwen_image_2_1_text_to_image": "73b403378c686b832dfd04715df2bcd967345f735aa4444c12130a9126fe5389",
    "09_wan_2_2_image_to_video": "4250b526cb18e85b8e9040c10d570c8dcdbf78f1b210ab7c57dd50bf996f386b",
    "08_z_image_text_to_image": "56325d6d62b797f5d399d85e251c6b31f401047a9acf2c585c0f4fadcf457e89",
}
NAMES = sorted(STEPS)
ENTRANCE, EXIT = -10, -20  # a subgraph's borders, as ends of links


def read(name: str) -> dict:
    return json.loads((ROOT / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))


def inner(workflow: dict) -> dict:
    """The one subgraph of a workflow."""
    (graph,) = workflow["definitions"]["subgraphs"]
    return graph


def cache_of(graph: dict) -> dict:
    (cache,) = (node for node in graph["nodes"] if node["type"] == "ABCacheApply")
    return cache


def without_ours(workflow: dict) -> dict:
    """A workflow with the note removed, and with what the cache is between linked again."""
    graph = inner(workflow)
    nodes, links = ({each["id"]: each for each in graph[part]} for part in ("nodes", "links"))
    cache = nodes.pop(cache_of(graph)["id"])
    for entrance in (each for each in cache["inputs"] if each["link"]):
        (out,) = next(each for each in cache["outputs"] if each["name"] == entrance["name"])["links"]
        behind, link = links.pop(out), links[entrance["link"]]
        link |= {key: behind[key] for key in ("target_id", "target_slot")}
        nodes[link["target_id"]]["inputs"][link["target_slot"]]["link"] = link["id"]
    graph |= {"nodes": [*nodes.values()], "links": [*links.values()]}
    workflow["nodes"] = [node for node in workflow["nodes"] if node.get("title") != "AB-Cache"]
    return workflow


def content(workflow: dict) -> str:
    """SHA-256 of all nodes, links, groups and sockets of a workflow and its subgraphs."""
    parts = ("id", "name", "nodes", "links", "groups", "inputs", "outputs", "widgets")
    found = [{part: graph.get(part) for part in parts} for graph in (workflow, inner(workflow))]
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def loaded(name: str) -> ModuleType:
    """A file of scripts."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """make_template_workflows.py."""
    return loaded("make_template_workflows")


@pytest.fixture(scope="module")
def templates() -> ModuleType:
    """templates.py."""
    return loaded("templates")


@pytest.mark.parametrize("name", NAMES)
def test_all_of_the_template_is_there(name):
    assert content(without_ours(read(name))) == CONTENTS[name]


def test_they_are_what_the_script_makes_of_the_installed_templates(maker, tmp_path):
    folder = maker.installed()
    files = {name: folder / f"{made.template}.json" for name, made in maker.WORKFLOWS.items()} if folder else {}
    here = {
        name: content(json.loads(path.read_text(encoding="utf-8"))) for name, path in files.items() if path.is_file()
    }
    if here != CONTENTS:
        pytest.skip("missing: comfyui-workflow-templates-json 0.1.123")
    written = maker.write(tmp_path, folder)
    assert {path.name: path.read_bytes() for path in written} == {
        f"{name}.json": (ROOT / "example_workflows" / f"{name}.json").read_bytes() for name in NAMES
    }


@pytest.mark.parametrize("name", NAMES)
def test_links_join_sockets_that_know_them(name):
    graph = inner(read(name))
    nodes = {node["id"]: node for node in graph["nodes"]}
    for link in graph["links"]:
        if link["origin_id"] != ENTRANCE:
            assert link["id"] in nodes[link["origin_id"]]["outputs"][link["origin_slot"]]["links"]
        if link["target_id"] != EXIT:
            assert nodes[link["target_id"]]["inputs"][link["target_slot"]]["link"] == link["id"]
    ends = [each["link"] for node in nodes.values() for each in node.get("inputs", ()) if each["link"]]
    assert sorted(ends) == sorted(link["id"] for link in graph["links"] if link["target_id"] != EXIT)


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_known_to_be_used(name):
    workflow = read(name)
    nodes = [node["id"] for graph in (workflow, inner(workflow)) for node in graph["nodes"]]
    links = [link["id"] for link in inner(workflow)["links"]]
    assert (len(set(nodes)), len(set(links))) == (len(nodes), len(links))
    assert max(nodes) <= workflow["last_node_id"] == inner(workflow)["state"]["lastNodeId"]
    assert max(links) <= workflow["last_link_id"] == inner(workflow)["state"]["lastLinkId"]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_can_offer_what_to_download(name):
    loaders = [node for node in inner(read(name))["nodes"] if node["type"] in ("UNETLoader", "CheckpointLoaderSimple")]
    models = [model for node in loaders for model in node["properties"]["models"]]
    assert len(models) >= len(loaders) > 0
    for model in models:
        assert model["url"].startswith("https://")
        assert model["name"]
        assert model["directory"] in ("diffusion_models", "checkpoints")


@pytest.mark.parametrize("name", NAMES)
def test_the_nodes_of_the_pack_lie_on_no_other(name):
    workflow = read(name)
    graph, note = inner(workflow), next(node for node in workflow["nodes"] if node.get("title") == "AB-Cache")
    for own, nodes in ((cache_of(graph), graph["nodes"]), (note, workflow["nodes"])):
        (x, y), (width, height) = own["pos"], own["size"]
        over = [
            node["type"]
            for node in nodes
            if node is not own
            and x < node["pos"][0] + node["size"][0]
            and node["pos"][0] < x + width
            and y - 30 < node["pos"][1] + node["size"][1]
            and node["pos"][1] - 30 < y + height
        ]
        assert over == []


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive) -> dict:
    files = [ROOT / "example_workflows" / f"{name}.json" for name in NAMES]
    return drive("templates.mjs", request.param, "on", *files, seconds=900)["templates"]


@pytest.fixture(params=NAMES)
def name(request, facts, require) -> str:
    """A workflow all of whose nodes this ComfyUI has."""
    require(facts[request.param]["missing"])
    return request.param


def test_no_cache_is_lacking(facts, name):
    assert facts[name]["said"].startswith("Nothing was changed")
    assert "with a cache of this pack already" in facts[name]["said"]


def test_the_timeline_has_the_templates_steps(facts, name):
    (node,) = facts[name]["nodes"]
    assert re.findall(r"(\d+) steps \(", node["words"]) == [str(STEPS[name])]


def uncached(prompt: dict) -> dict:
    """A prompt without the cache."""
    (own,) = (key for key, node in prompt.items() if node["class_type"] == "ABCacheApply")
    models = {0: prompt[own]["inputs"]["model"], 2: prompt[own]["inputs"].get("model_2")}  # by output
    left = json.loads(json.dumps({key: node for key, node in prompt.items() if key != own}))
    for node in left.values():
        node["inputs"] |= {k: models[v[1]] for k, v in node["inputs"].items() if isinstance(v, list) and v[0] == own}
    return left


def test_comfyui_has_nothing_against_it_that_it_has_not_against_the_template(facts, templates, name, url):
    prompt = facts[name]["after"]
    found = templates.complaints(url, prompt)
    assert "value_not_in_list" in {kind for _, kind, _ in found}  # the models' files, which are not here
    assert found == templates.complaints(url, uncached(prompt))

"""The subgraph blueprint: ComfyUI lists it, the page finds it and puts it on the graph, and it runs."""

import importlib.util
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType

import pytest

from tests.stress.server import queue, result

ROOT = Path(__file__).resolve().parents[2]
NAME = "Sampler with AB-Cache"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """scripts/make_blueprint.py."""
    spec = importlib.util.spec_from_file_location("make_blueprint", ROOT / "scripts" / "make_blueprint.py")
    sys.modules["make_blueprint"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def listed(url) -> dict:
    """The blueprints that the server lists."""
    try:
        with urllib.request.urlopen(f"{url}/api/global_subgraphs", timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        pytest.skip("this version of ComfyUI has no blueprints")


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive, listed) -> dict:
    return drive("blueprint.mjs", request.param)


def test_it_is_what_the_script_writes(maker, tmp_path):
    maker.main(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in (ROOT / "subgraphs").iterdir()}


def test_comfyui_lists_it(listed):
    own = [entry for entry in listed.values() if entry["source"] == "custom_node"]
    assert [(entry["name"], entry["info"]["node_pack"]) for entry in own] == [(NAME, "custom_nodes.cloned")]


def test_the_page_puts_it_on_the_graph(facts, maker):
    (node,) = facts["put"]
    assert (node["title"], node["inside"]) == (NAME, ["ABCacheApply", "KSampler"])
    assert [each.split()[0] for each in node["inputs"]] == [name for name, _ in maker.SHOWN]
    assert node["outputs"] == ["LATENT LATENT"]
    assert facts["noise"] == facts["abroad"] == []


def test_it_shows_the_widgets_with_their_values(facts, maker):
    shown = dict(facts["put"][0]["widgets"])
    values = {name: maker.SAMPLING[name] for name in ("steps", "cfg", "sampler_name", "scheduler", "denoise")}
    assert shown.items() >= {"preset": "auto", **values}.items()
    assert "seed" in shown


def test_what_is_set_on_it_reaches_the_nodes_and_it_runs(facts, url):
    nodes = {node["class_type"]: node["inputs"] for node in facts["prompt"].values()}
    assert nodes["ABCacheApply"]["preset"] == "fast"
    assert (nodes["KSampler"]["steps"], nodes["KSampler"]["cfg"]) == (12, 1)
    (number,) = queue(url, [facts["prompt"]])
    assert result(url, number)["status"]["status_str"] == "success"

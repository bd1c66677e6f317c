"""The pack in ComfyUI's real page: page.mjs drives it in headless Chromium, the tests here say what has to come of it.

Runs where there are a ComfyUI checkout (COMFYUI_DIR), its own interpreter (COMFY_PYTHON), node, Chromium and a folder with playwright-core
(PLAYWRIGHT_DIR); COMFY_FRONTEND may name another front end. The server gets this pack and no other.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
LAB = Path.home() / "comfy-lab"
COMFYUI = Path(os.environ.get("COMFYUI_DIR") or LAB / "ComfyUI")
PYTHON = os.environ.get("COMFY_PYTHON") or sys.executable
PLAYWRIGHT = Path(os.environ.get("PLAYWRIGHT_DIR") or LAB / "ui")
NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium") or shutil.which("google-chrome")
SHOTS = ROOT / "out" / "web"
MISSING = [what for what, there in {
    f"ComfyUI at {COMFYUI} (COMFYUI_DIR)": (COMFYUI / "main.py").is_file(), "node": NODE, "Chromium": CHROMIUM,
    f"playwright-core in {PLAYWRIGHT} (PLAYWRIGHT_DIR)": (PLAYWRIGHT / "node_modules" / "playwright-core").is_dir()}.items() if not there]

pytestmark = pytest.mark.skipif(bool(MISSING), reason="missing: " + ", ".join(MISSING))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    base = tmp_path_factory.mktemp("comfyui")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "cloned").symlink_to(ROOT)  # the folder need not be named as in pyproject.toml
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PYTHON, "-W", "ignore", "main.py", "--cpu", "--port", str(port), "--base-directory", str(base), "--disable-api-nodes"]
    if os.environ.get("COMFY_FRONTEND"):
        command += ["--front-end-root", os.environ["COMFY_FRONTEND"]]
    with (base / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=COMFYUI, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        for _ in range(240):
            if server.poll() is not None:
                pytest.skip("ComfyUI does not start: " + (base / "log").read_text().strip().splitlines()[-1])
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/system_stats", timeout=2).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def facts(url: str) -> dict:
    SHOTS.mkdir(parents=True, exist_ok=True)
    driven = subprocess.run([NODE, ROOT / "tests" / "web" / "page.mjs", url, PLAYWRIGHT, CHROMIUM, SHOTS, *WORKFLOWS],
                            capture_output=True, text=True, timeout=300)
    assert driven.returncode == 0, driven.stderr
    return json.loads(driven.stdout)


def presets(pack) -> dict:
    return pack.NODE_CLASS_MAPPINGS["FEBCacheApply"].INPUT_TYPES()["required"]["preset"][1]["presets"]


def test_the_scripts_are_served_and_keep_quiet(facts):
    assert {Path(path).name for path in facts["served"]} == {"presets.js", "report.js"}
    assert facts["noise"] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_loads_as_it_is_in_the_file(facts, path):
    saved, shown = json.loads(path.read_text(encoding="utf-8")), facts["loaded"][path.name]
    nodes = {node["id"]: node for node in shown["nodes"]}
    assert not [node["type"] for node in nodes.values() if node.get("has_errors")]
    assert [link[:6] for link in sorted(shown["links"])] == saved["links"]
    for node in saved["nodes"]:
        there = nodes[node["id"]]
        assert [i["name"] for i in there["inputs"] if i["link"]] == [i["name"] for i in node["inputs"] if i["link"]]
        assert (there["type"], there["pos"], there["size"]) == (node["type"], node["pos"], node["size"])
        assert there.get("widgets_values", []) == node["widgets_values"]


def test_the_search_finds_the_node(facts):
    assert facts["found"] == [["FEBCacheApply", "FEB-Cache Apply"]]


def test_a_new_node_shows_the_values_of_its_preset(facts, pack):
    assert facts["fresh"].items() >= {"preset": "auto", **presets(pack)["auto"]}.items()


def test_choosing_a_preset_writes_its_values(facts, pack):
    assert facts["fast"] == facts["fresh"] | {"preset": "fast", **presets(pack)["fast"]}


def test_moving_another_widget_makes_it_custom(facts):
    assert facts["moved"] == facts["fast"] | {"preset": "custom", "warmup_steps": 20}


def test_each_change_is_undone_as_one(facts):
    assert facts["undone"] == [facts["fast"], facts["fresh"]]


def test_loaded_values_win_over_the_preset(facts):
    assert {name: facts["api"][name] for name in ("preset", "interval", "warmup_steps")} == {"preset": "fast", "interval": 9, "warmup_steps": 3}

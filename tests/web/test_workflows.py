"""The example workflows: well-formed, in step with the nodes, and with what ComfyUI says of its own nodes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALL = sorted((ROOT / "example_workflows").glob("*.json"))
# what is not drawn by make_workflows.py is an official template; see test_template_workflows.py
WORKFLOWS = [path for path in ALL if "definitions" not in json.loads(path.read_text(encoding="utf-8"))]
COMFYUI = Path(os.environ.get("COMFYUI_DIR") or Path.home() / "comfy-lab" / "ComfyUI")
# nodes that the page has and the server does not: widgets, inputs, outputs, optional inputs
PAGE_ONLY = {"MarkdownNote": (["text"], [], [], [])}
TALLER_IN_PAGE = 30  # a node's title bar, above its position
WIDE = 13.5  # a letter of a group's title, about


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> dict:
    return json.loads(request.param.read_text(encoding="utf-8"))


@pytest.fixture(params=ALL, ids=lambda path: path.stem)
def any_workflow(request: pytest.FixtureRequest) -> dict:
    return json.loads(request.param.read_text(encoding="utf-8"))


def ours(workflow: dict, pack: ModuleType) -> list[tuple[dict, type]]:
    return [
        (node, pack.NODE_CLASS_MAPPINGS[node["type"]])
        for graph in (workflow, *workflow.get("definitions", {}).get("subgraphs", ()))
        for node in graph["nodes"]
        if node["type"] in pack.NODE_CLASS_MAPPINGS
    ]


def specs(cls: type) -> dict[str, tuple]:
    """All inputs of a class, in order, by name."""
    return {name: spec for part in ("required", "optional") for name, spec in cls.INPUT_TYPES().get(part, {}).items()}


def is_widget(spec: tuple) -> bool:
    return isinstance(spec[0], list) or spec[0] in ("INT", "FLOAT", "STRING", "BOOLEAN")


def test_there_is_a_workflow_for_each_apply_node(pack):
    used = {node["type"] for path in WORKFLOWS for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]}
    assert {"FEBCacheApply", "ABCacheApply", "CacheReport"} <= used


def test_the_nodes_sockets_are_those_of_the_classes(any_workflow, pack):
    assert ours(any_workflow, pack)
    for node, cls in ours(any_workflow, pack):
        assert [(i["name"], i["type"]) for i in node["inputs"]] == [
            (name, s[0]) for name, s in specs(cls).items() if not is_widget(s)
        ]
        assert [(o["name"], o["type"]) for o in node["outputs"]] == list(
            zip(cls.RETURN_NAMES, cls.RETURN_TYPES, strict=True)
        )


def test_every_widget_has_a_value_that_it_accepts(any_workflow, pack):
    assert ours(any_workflow, pack)
    for node, cls in ours(any_workflow, pack):
        widgets = [spec for spec in specs(cls).values() if is_widget(spec)]
        assert len(node["widgets_values"]) == len(widgets)
        for value, (kind, options) in zip(node["widgets_values"], widgets, strict=True):
            if isinstance(kind, list):
                assert value in kind
            elif kind in ("INT", "FLOAT"):
                assert options["min"] <= value <= options["max"]
            else:
                assert isinstance(value, {"STRING": str, "BOOLEAN": bool}[kind])


def test_links_join_sockets_of_one_type_and_are_known_at_both_ends(workflow, script, pack):
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for number, source, output, target, slot, kind in workflow["links"]:
        assert number in nodes[source]["outputs"][output]["links"]
        assert nodes[target]["inputs"][slot]["link"] == number
        assert nodes[source]["outputs"][output]["type"] == kind
        assert nodes[target]["inputs"][slot]["type"] in (kind, "*")
        assert nodes[source]["order"] < nodes[target]["order"]
    ends = [
        link
        for node in nodes.values()
        for link in [i["link"] for i in node["inputs"]] + sum((o["links"] for o in node["outputs"]), [])
    ]
    assert sorted(filter(None, ends)) == sorted(2 * [link[0] for link in workflow["links"]])
    for node in nodes.values():
        loose = {i["name"] for i in node["inputs"] if i["link"] is None}
        known = script.CORE.get(node["type"]) or script.kind_of(pack.NODE_CLASS_MAPPINGS[node["type"]])
        assert loose <= set(known.optional)


def test_ids_are_unique(workflow):
    for found in (
        [node["id"] for node in workflow["nodes"]],
        [link[0] for link in workflow["links"]],
        [group["id"] for group in workflow["groups"]],
    ):
        assert len(set(found)) == len(found)
    assert workflow["last_node_id"] == max(node["id"] for node in workflow["nodes"])
    assert workflow["last_link_id"] == max(link[0] for link in workflow["links"])


def test_nothing_overlaps_and_every_node_is_in_a_group(workflow):
    boxes = [
        (x, y - TALLER_IN_PAGE, x + w, y + h)
        for (x, y), (w, h) in ((node["pos"], node["size"]) for node in workflow["nodes"])
    ]
    groups = [(x, y, x + w, y + h) for x, y, w, h in (group["bounding"] for group in workflow["groups"])]
    for found in (boxes, groups):
        for i, a in enumerate(found):
            assert not [b for b in found[:i] if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]
    for box in boxes:
        assert [g for g in groups if g[0] < box[0] and g[1] < box[1] and box[2] < g[2] and box[3] < g[3]]


def test_the_titles_of_groups_fit(workflow):
    assert not [group["title"] for group in workflow["groups"] if WIDE * len(group["title"]) > group["bounding"][2]]


def test_they_are_what_the_script_writes(script, tmp_path):
    script.main(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in WORKFLOWS
    }


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_each_has_a_small_thumbnail(path):
    picture = path.with_suffix(".jpg").read_bytes()
    assert picture.startswith(b"\xff\xd8\xff")
    assert len(picture) < 60_000


@pytest.mark.usefixtures("script")
def test_the_pack_is_named_as_in_pyproject():
    assert (
        re.search(r'(?m)^name = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]
        == sys.modules["canvas"].PACK_ID
    )


ASK_COMFYUI = """
import asyncio, json, sys
sys.argv = ["main.py", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import nodes
ADDED = {"control": "control_after_generate", "upload": "image_upload"}  # widgets that the page adds, by their reason
for extra in ("flux", "sd3", "custom_sampler", "hunyuan", "model_advanced", "video", "canny"):
    asyncio.run(nodes.load_custom_node(f"comfy_extras/nodes_{extra}.py", module_parent="comfy_extras"))
found = {}
for name in json.loads(sys.stdin.read()):
    cls = nodes.NODE_CLASS_MAPPINGS[name]
    given = [(part, *item) for part in ("required", "optional") for item in cls.INPUT_TYPES().get(part, {}).items()]
    inputs = [(name, *(list(spec) + [{}])[:2], part) for part, name, spec in given]
    outputs = list(zip(getattr(cls, "RETURN_NAMES", None) or cls.RETURN_TYPES, cls.RETURN_TYPES))
    told = [(k, "COMBO" if isinstance(t, list) else t, [w for w, key in ADDED.items() if o.get(key)], part)
            for k, t, o, part in inputs]
    found[name] = [told, outputs]
print("\\n" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def core(script) -> dict[str, tuple[list[str], list[str], list[str], list[str]]]:
    """What ComfyUI says of its own nodes in the workflows: the page's widgets, inputs and outputs as `name TYPE`,
    and which inputs are optional."""
    if not (COMFYUI / "nodes.py").is_file():
        pytest.skip(f"no ComfyUI at {COMFYUI} (set COMFYUI_DIR)")
    names = [name for name in script.CORE if name not in PAGE_ONLY]
    path = os.pathsep.join(filter(None, (str(COMFYUI), os.environ.get("PYTHONPATH"))))
    asked = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK_COMFYUI],
        cwd=COMFYUI,
        input=json.dumps(names),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )
    if asked.returncode and re.search("ImportError|ModuleNotFoundError", asked.stderr):
        pytest.skip(f"ComfyUI at {COMFYUI} cannot be imported: {asked.stderr.strip().splitlines()[-1]}")
    assert asked.returncode == 0, asked.stderr
    found = dict(PAGE_ONLY)
    for name, (inputs, outputs) in json.loads(asked.stdout.splitlines()[-1]).items():
        types = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3")
        widgets = [w for key, kind, added, _ in inputs if kind in types for w in (key, *added)]
        sockets = [(f"{key} {kind}", key, part) for key, kind, _, part in inputs if kind not in types]
        optional = [key for _, key, part in sockets if part == "optional"]
        found[name] = (
            widgets,
            [socket for socket, _, _ in sockets],
            [f"{key} {kind}" for key, kind in outputs],
            optional,
        )
    return found


def test_core_nodes_are_as_comfyui_has_them_but_for_what_later_ones_added_at_the_end(script, core):
    declared = {
        name: (
            list(kind.widgets),
            [f"{k} {t}" for k, t in kind.inputs.items()],
            [f"{k} {t}" for k, t in kind.outputs.items()],
            list(kind.optional),
        )
        for name, kind in script.CORE.items()
    }
    changed = {
        name: (ours, core[name])
        for name, ours in declared.items()
        if [theirs[: len(own)] for own, theirs in zip(ours, core[name], strict=True)] != [*ours]
    }
    assert changed == {}


def test_no_other_folder_hides_the_workflows_from_comfyui():
    # Was wrong once: ComfyUI serves one folder of a pack, the first of these that is there, and examples/ was.
    names = ("example_workflows", "example", "examples", "workflow", "workflows")
    assert next(name for name in names if (ROOT / name).exists()) == "example_workflows"
    assert [name for name in names if list((ROOT / name).glob("*.json"))] == ["example_workflows"]  # listed once


def test_the_first_one_says_that_it_is_the_first():
    assert [path.stem[:14] for path in ALL].index("01_start_here_") == 0
    assert all(re.fullmatch(r"\d\d_\w+", path.stem) for path in ALL)  # as the page takes them in links

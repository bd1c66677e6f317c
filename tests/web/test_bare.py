"""The pack without its folder web: what the page's scripts do has a plain counterpart in the nodes."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EDITED = "reuse attention 5-6; reuse both 8"


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """A copy of what ComfyUI needs of the pack, without its folder web."""
    folder = tmp_path_factory.mktemp("bare") / "feb-ab-cache"
    for name in ("cache_core", "nodes", "locales"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def loaded(bare):
    """The pack without web, imported as ComfyUI imports it."""
    name = str(bare).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, bare / "__init__.py", submodule_search_locations=[str(bare)])
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for key in [key for key in sys.modules if key == name or key.startswith(name + ".")]:
        del sys.modules[key]


@pytest.fixture(scope="module", params=["classic", "vue"])
def facts(request, drive_with, bare) -> dict:
    return drive_with(bare, "bare.mjs", request.param, EDITED)


def names(kind: type) -> list[str]:
    """The inputs that are widgets, in order."""
    given = [
        (name, spec) for group in ("required", "optional") for name, spec in kind.INPUT_TYPES().get(group, {}).items()
    ]
    return [
        name for name, spec in given if isinstance(spec[0], list) or spec[0] in ("INT", "FLOAT", "STRING", "BOOLEAN")
    ]


def test_without_the_folder_the_pack_loads_with_all_its_nodes(loaded, bare, pack):
    assert not (bare / loaded.WEB_DIRECTORY).exists()
    assert {name: names(kind) for name, kind in loaded.NODE_CLASS_MAPPINGS.items()} == {
        name: names(kind) for name, kind in pack.NODE_CLASS_MAPPINGS.items()
    }


def test_every_widget_that_a_script_writes_is_an_input_of_the_node(pack):
    text = (ROOT / "web" / "js" / "timeline.js").read_text(encoding="utf-8")
    written = dict(re.findall(r"(\w+CacheApply): \"(\w+)\"", text))
    assert written.keys() == {"FEBCacheApply", "ABCacheApply"}
    for node, widget in written.items():
        assert {widget, "preset"} <= {*names(pack.NODE_CLASS_MAPPINGS[node])}


def test_every_node_whose_text_a_script_shows_has_it_as_an_output(pack):
    text = (ROOT / "web" / "js" / "report.js").read_text(encoding="utf-8")
    shown = re.findall(r'"(Cache\w+)"', re.search(r"const NODES = \[(.*)\];", text)[1])
    without = [node for node in shown if "STRING" not in pack.NODE_CLASS_MAPPINGS[node].RETURN_TYPES]
    assert without == ["CachePlanSave"]  # it only says what it was told: the name of the file
    assert len(shown) == 5


def test_the_page_shows_every_node_with_plain_widgets_and_has_no_error(facts, pack):
    assert facts["served"] == facts["errors"] == facts["noise"] == []
    shown = dict(facts["nodes"])
    assert shown.keys() == pack.NODE_CLASS_MAPPINGS.keys()
    for node, kind in pack.NODE_CLASS_MAPPINGS.items():
        assert [widget for widget in shown[node] if widget != "control_after_generate"] == names(kind), node


def test_steps_edited_as_text_are_run_as_the_text_says(facts):
    marks = facts["text"].splitlines()
    assert next(line for line in marks if set(line) <= set("#am.") and len(line) == 12) == "#####mm#.###"

"""Rooms within nodes: who may import whom, imports for types included. Read from the source, nothing is imported."""

import ast
from graphlib import TopologicalSorter

import pytest

from tests.core.test_architecture import ROOT, tree
from tests.core.test_architecture import imported as named

FACES = ("contest", "settings", "methods", "saved_plan", "show", "calibrate")  # of cache_core, that a node may import
LEAVES = ("errors", "site", "timeline")  # of cache_core, without torch


def modules(folder="nodes", pattern="**/*.py"):
    return sorted((ROOT / folder).glob(pattern))


def dotted(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    """Modules of the pack that the file imports: of a name the module that holds it."""
    known = {dotted(file) for folder in ("nodes", "cache_core") for file in modules(folder)}
    for name in named(path, ast.walk(tree(path))):
        if name.split(".")[0] in ("nodes", "cache_core"):
            yield name if name in known else name.rpartition(".")[0]


def within(module, *rooms):
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize("path", modules(pattern="*.py"), ids=dotted)
def test_a_node_imports_the_two_rooms_and_the_faces_of_the_engine_only(path):
    allowed = [f"cache_core.{name}" for name in (*FACES, *LEAVES)]
    allowed += ["nodes.comfy", "nodes.page", *(dotted(file) for file in modules(pattern="*.py") if file != path)]
    assert not [m for m in imported(path) if m == "nodes" or not within(m, *allowed)]


@pytest.mark.parametrize("path", modules("nodes/comfy"), ids=dotted)
def test_comfy_knows_neither_the_page_nor_the_nodes(path):
    assert not [m for m in imported(path) if within(m, "nodes") and not within(m, "nodes.comfy")]


@pytest.mark.parametrize("path", modules("nodes/page"), ids=dotted)
def test_the_page_knows_comfy_and_no_node(path):
    assert not [m for m in imported(path) if within(m, "nodes") and not within(m, "nodes.comfy", "nodes.page")]


def test_comfyui_s_server_is_looked_up_in_one_place():
    assert [dotted(path) for path in modules() if "PromptServer" in path.read_text(encoding="utf-8")] == [
        "nodes.page.server"
    ]


def test_no_module_of_nodes_knows_itself_by_a_detour_even_for_types():
    graph = {
        dotted(path): {m for m in imported(path) if within(m, "nodes") and m not in ("nodes", dotted(path))}
        for path in modules()
    }
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError, with the cycle, if there is one

"""Rules of imports, and of the length of files: read from the source, nothing is imported."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = ("comfy", "comfy_execution", "folder_paths", "server", "execution")
SIBLINGS = ("schedule", "predictor", "noise_scale", "hosts")
ABOVE = {"show", "saved_plan", "settings", "calibrate"}  # rooms that the engine does not know


def files(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name(path):
    return str(path.relative_to(ROOT))


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def at_top(node):
    """All nodes outside of functions: those that run when the module is imported, and those for types."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from at_top(child)


def imported(path, nodes):
    """Dotted modules that import statements among `nodes` name, seen from the root; relative ones resolved."""
    package = path.relative_to(ROOT).parent.parts
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base = (*base, *(node.module or "").split("."))
            yield from (".".join(filter(None, (*base, alias.name))) for alias in node.names)


def units(folder):
    """For each module or package directly in `folder`, the ones there that its files import, also for types only.

    The folder's own face is left out.
    """
    graph = {}
    for path in files(folder):
        unit = path.relative_to(ROOT / folder).parts[0].removesuffix(".py")
        if unit != "__init__":
            found = {m.split(".")[1] for m in imported(path, ast.walk(tree(path))) if m.startswith(f"{folder}.")}
            graph.setdefault(unit, set()).update(found - {unit})
    return graph


def levels(graph):
    """Lines of a diagram, the top first: each unit imports only from lines below it."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    lines = []
    while ready := sorter.get_ready():
        lines.insert(0, "  ".join(sorted(ready)))
        sorter.done(*ready)
    return "\n".join(lines)


@pytest.mark.parametrize("folder", ["cache_core", "nodes"])
def test_imports_point_down(folder):
    assert list(TopologicalSorter(units(folder)).static_order())  # raises CycleError, with the cycle, if there is one


def test_the_four_questions_do_not_know_each_other():
    graph = units("cache_core")
    assert not [(unit, other) for unit in SIBLINGS for other in SIBLINGS if other in graph[unit]]


@pytest.mark.parametrize("unit", ["run", "store", "mount"])
def test_the_engine_knows_no_saved_plans_no_settings_no_reports_and_no_calibration(unit):
    assert not units("cache_core")[unit] & ABOVE


@pytest.mark.parametrize("path", files("cache_core"), ids=name)
def test_the_engine_knows_neither_comfyui_nor_the_nodes_nor_the_lab(path):
    roots = {module.split(".")[0] for module in imported(path, ast.walk(tree(path)))}
    assert not roots & {*HOST, "nodes", "lab", "tests"}


@pytest.mark.parametrize("path", files("cache_core", "nodes"), ids=name)
def test_the_pack_imports_itself_relatively(path):
    absolute = [
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
    ]
    assert not [m for m in imported(path, absolute) if m.split(".")[0] in ("cache_core", "nodes", "lab")]


@pytest.mark.parametrize("path", files("nodes"), ids=name)
def test_the_nodes_import_comfyui_inside_functions_only(path):
    assert not [m for m in imported(path, at_top(tree(path))) if m.split(".")[0].startswith(HOST)]


@pytest.mark.parametrize("path", files("cache_core", "nodes", "lab", "scripts", "tests"), ids=name)
def test_no_file_is_longer_than_250_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


@pytest.mark.parametrize("path", files("cache_core", "nodes"), ids=name)
def test_nothing_is_reset_and_no_exception_is_swallowed_unnamed(path):
    nodes = list(ast.walk(tree(path)))
    assert not [
        n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name.lstrip("_") == "reset"
    ]
    assert not [n.lineno for n in nodes if isinstance(n, ast.ExceptHandler) and n.type is None]


@pytest.mark.parametrize("folder", ["cache_core", "nodes"])
def test_the_diagram_in_architecture_md_is_what_is(folder):
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    diagram = text.split(f"## {folder}\n\n```\n")[1].split("```")[0]
    graph = units(folder)
    lines = [line.split("   ")[0].split() for line in diagram.splitlines()]
    level = {unit: -number for number, line in enumerate(lines) for unit in line}
    assert sorted(unit for line in lines for unit in line) == sorted(graph), levels(graph)
    upwards = [(u, other) for u in graph for other in graph[u] & graph.keys() if level[other] >= level[u]]
    assert not upwards, levels(graph)

"""What SECURITY.md says the pack does not do, read from its source. What routes and plan files accept is tested in
tests/nodes/test_fuzz.py."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACK = [ROOT / "__init__.py", *sorted((ROOT / "cache_core").rglob("*.py")), *sorted((ROOT / "nodes").rglob("*.py"))]
PAGES = sorted((ROOT / "web" / "js").glob("*.js"))
NEEDED = {
    "torch",
    "numpy",
    "safetensors",
    "PIL",
    "comfy",
    "comfy_api",
    "comfy_execution",
    "folder_paths",
}  # all of them there with ComfyUI
HARMLESS = {
    "__future__",
    "asyncio",
    "bisect",
    "collections",
    "contextlib",
    "contextvars",
    "copy",
    "dataclasses",
    "datetime",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "inspect",
    "itertools",
    "json",
    "logging",
    "math",
    "operator",
    "pathlib",
    "random",
    "re",
    "secrets",
    "statistics",
    "sys",
    "textwrap",
    "threading",
    "time",
    "types",
    "typing",
    "weakref",
    "zlib",
}
# the server's own library, for its answers; reading a stream
ONLY = {"aiohttp": {"nodes/page/routes.py"}, "asyncio": {"nodes/page/routes.py"}}
NAMES = {"os": {"listdir"}}  # names that do no harm, of modules that do
CODE = {"eval", "exec", "compile", "__import__", "breakpoint", "input"}
METHODS = {
    "load_module",
    "exec_module",
    "import_module",
    "open_connection",
    "create_subprocess_exec",
    "create_subprocess_shell",
    "load_state_dict_from_url",
}
FILES = {
    "open",
    "write",
    "write_text",
    "write_bytes",
    "read_text",
    "read_bytes",
    "unlink",
    "mkdir",
    "rmdir",
    "touch",
    "rename",
    "symlink_to",
    "save_file",
    "load_file",
    "safe_open",
}
AT_FILES = {  # plans, and what an interrupted calibration has
    "cache_core/files.py",
    "cache_core/saved_plan/file.py",
    "cache_core/calibrate/ledger.py",
    "nodes/cache_calibrate.py",
}


def name(path):
    return path.relative_to(ROOT).as_posix()


def nodes_of(path):
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def harmless(node):
    """True for an import of nothing but names that do no harm."""
    return isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} <= NAMES.get(node.module, set())


def imported(path):
    nodes = [node for node in nodes_of(path) if not harmless(node)]
    found = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    found += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {module.split(".")[0] for module in found}


def called(path):
    """Names of functions that are called, and of methods with what they are called on."""
    functions = [node.func for node in nodes_of(path) if isinstance(node, ast.Call)]
    plain = {f.id for f in functions if isinstance(f, ast.Name)}
    return plain, {(ast.unparse(f.value), f.attr) for f in functions if isinstance(f, ast.Attribute)}


@pytest.mark.parametrize("path", PACK, ids=name)
def test_nothing_is_imported_that_could_unpickle_reach_a_network_or_start_a_process(path):
    allowed = NEEDED | HARMLESS | set(ONLY)
    assert imported(path) <= allowed
    assert not {module for module in imported(path) if name(path) not in ONLY.get(module, {name(path)})}
    assert {
        "pickle",
        "marshal",
        "shelve",
        "socket",
        "ssl",
        "http",
        "urllib",
        "requests",
        "subprocess",
        "multiprocessing",
        "ctypes",
        "os",
        "importlib",
    }.isdisjoint(allowed)
    assert set(sys.stdlib_module_names) >= HARMLESS - {"__future__"}


@pytest.mark.parametrize("path", PACK, ids=name)
def test_no_text_is_run_as_code_and_nothing_is_unpickled(path):
    plain, methods = called(path)
    assert not plain & CODE
    assert not {attribute for _, attribute in methods} & METHODS
    assert not methods & {
        (of, attribute) for of in ("torch", "np", "numpy") for attribute in ("load", "save", "fromfile", "memmap")
    }


@pytest.mark.parametrize("path", PACK, ids=name)
def test_files_are_touched_in_few_places_only(path):
    plain, methods = called(path)
    touching = (plain | {attribute for _, attribute in methods}) & FILES
    assert not touching or name(path) in AT_FILES, touching


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_page_asks_its_own_server_only_and_shows_text_as_text(path):
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert not re.findall(r"\beval\(|new Function|XMLHttpRequest|WebSocket|sendBeacon|\bfetch\(", text)
    assert set(re.findall(r"https?://[^\"' ]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert all(
        source.startswith(("../", "./", "/scripts/"))
        for source in re.findall(r"(?:from|import\()\s*[\"']([^\"']+)", text)
    )


def test_security_md_names_the_tests_that_hold_it_to_its_word():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert named
    assert all((ROOT / path).is_file() for path in named)
    assert f"{2**16:,}" in text  # the largest request, as in nodes/page/request.py
    assert re.search(r"LARGEST = 2\*\*16", (ROOT / "nodes" / "page" / "request.py").read_text(encoding="utf-8"))

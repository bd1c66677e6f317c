"""The list of other packs' bugs names tests that exist."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUGS = json.loads((ROOT / "tests" / "peer_bugs.json").read_text())


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug["bug"][:40])
def test_every_bug_has_tests_and_they_exist(bug):
    assert bug["tests"]
    for test in bug["tests"]:
        path, _, name = test.partition("[")[0].partition("::")
        functions = {
            node.name
            for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, test


def test_cells_of_the_matrix_are_named_by_their_whole_id():
    assert all(test.endswith("]") for bug in BUGS for test in bug["tests"] if "test_cell" in test)

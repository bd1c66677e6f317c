"""Every public name of the pack says what it is: a noun phrase first, never a question."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [path for folder in ("cache_core", "nodes") for path in sorted((ROOT / folder).rglob("*.py"))]
QUESTIONS = {"What", "Whether", "Who", "Whose", "Where", "When", "How", "Which", "That", "It", "Those", "Of"}


def public(node):
    """Public classes and functions in `node`, at module level and in public classes, and `node` itself."""
    yield node
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public(child)
        elif isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield child


NAMED = {path: list(public(ast.parse(path.read_text(encoding="utf-8")))) for path in FILES}
DOCUMENTED = {node.name for nodes in NAMED.values() for node in nodes[1:] if ast.get_docstring(node)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_name_has_a_docstring_or_is_documented_where_it_is_declared(path):
    """A method of a protocol, or of a base class, is documented there."""
    module, *names = NAMED[path]
    assert ast.get_docstring(module)
    methods = {child for node in names if isinstance(node, ast.ClassDef) for child in node.body}
    missing = [node for node in names if not ast.get_docstring(node)]
    assert not [node.name for node in missing if node not in methods or node.name not in DOCUMENTED]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_docstring_begins_with_a_question(path):
    firsts = [(node, (ast.get_docstring(node) or "").split()) for node in NAMED[path]]
    assert not [" ".join(words[:8]) for _, words in firsts if words and words[0].rstrip(",") in QUESTIONS]

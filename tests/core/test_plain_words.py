"""What a user reads is free of the words of those who write caches: tooltips, help pages, notes of workflows, README,
and the sentences of the code, errors and reports among them. The strip and the words of the page: test_words.py."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JARGON = re.compile(
    r"counting call|stages? (?:are |is )?estimated|relative L2|\bresiduals?\b|\blists? of blocks|\bdrift|\bdemot|"
    r"\brungs?\b|\bmodalit|\bfingerprint|\bextrapolat|\bmounts?\b|\bagenda\b|\bcorrectors?\b",
    re.IGNORECASE,
)
PAGES = [ROOT / "README.md", ROOT / "docs" / "USING.md", *sorted((ROOT / "web" / "docs").glob("*.md"))]
LOCALES = sorted((ROOT / "locales" / "en").glob("*.json"))
WORKFLOWS = [*sorted((ROOT / "example_workflows").glob("*.json")), *sorted((ROOT / "subgraphs").glob("*.json"))]
CODE = sorted(path for folder in ("nodes", "cache_core") for path in (ROOT / folder).rglob("*.py"))
CODE = [path for path in CODE if path.parent.name != "methods"]  # other caches, in the words of their papers


def values(found: object) -> Iterator[str]:
    """All texts in JSON, keys left out."""
    if isinstance(found, str):
        yield found
    for each in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from values(each)


def notes(workflow: dict) -> Iterator[str]:
    """What the notes, titles and groups of a workflow say."""
    for graph in (workflow, *workflow.get("definitions", {}).get("subgraphs", ())):
        yield from (group["title"] for group in graph.get("groups", ()))
        for node in graph["nodes"]:
            yield node.get("title", "")
            if node["type"] in ("MarkdownNote", "Note"):
                yield from values(node["widgets_values"])


def sentences(source: str) -> Iterator[str]:
    """The strings of a module with a space in them, docstrings left out."""
    tree = ast.parse(source)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))]
    told = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and id(node) not in told
        ):
            yield node.value


def jargon(texts: Iterator[str]) -> list[str]:
    return [text for text in texts if JARGON.search(text)]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_are_in_plain_english(path):
    assert not jargon(iter(read(path).splitlines()))


@pytest.mark.parametrize("path", LOCALES, ids=lambda path: path.name)
def test_tooltips_names_and_commands_are_in_plain_english(path):
    texts = [*values(json.loads(read(path)))]
    assert texts
    assert not jargon(iter(texts))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_notes_of_workflows_are_in_plain_english(path):
    assert not jargon(notes(json.loads(read(path))))


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_errors_tooltips_and_reports_are_in_plain_english(path):
    assert not jargon(sentences(read(path)))


@pytest.mark.parametrize(
    "text",
    [
        "counting calls",
        "stages estimated",
        "relative L2",
        "one residual for a list of blocks",
        "Demoted: x",
        "it drifts",
    ],
)
def test_the_words_of_the_list_are_found(text):
    assert jargon(iter([text]))


def test_docstrings_are_not_read_and_other_strings_are():
    assert [*sentences('"""A residual."""\nx = f"a residual {1}"\ndef f():\n    """A rung."""\n')] == ["a residual "]

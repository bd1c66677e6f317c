"""The README is one page for a person, and what it and the documents link to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
FIRST_SCREEN = 30  # lines


def test_it_has_120_lines_at_most():
    assert len(README.splitlines()) <= 120


def test_the_first_screen_says_what_was_not_measured_and_how_to_install():
    first = "\n".join(README.splitlines()[:FIRST_SCREEN])
    assert "Nothing was measured on a full-size model or on a GPU" in first
    assert "git clone" in first
    assert "![" in first


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_project_leads_to_a_file_and_a_heading(path):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", path.read_text(encoding="utf-8")):
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}, anchor


def test_every_document_is_in_the_index():
    linked = set(re.findall(r"\]\(docs/([^)#]+\.md)", README))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= linked

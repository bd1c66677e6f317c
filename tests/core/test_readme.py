"""The README is one page for a person, and what it and the documents link to is there."""

import os
import re
import subprocess
import sys
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


COMMANDS = re.findall(r"^    python3 (scripts/\w+\.py)$", README, re.MULTILINE)
CHEAP = {"scripts/demo.py": ["--help"], "scripts/test.py": ["--collect-only", "-q"]}  # collected, none is run: no end


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last commit, as somebody gets it by `git clone`."""
    folder = tmp_path_factory.mktemp("cloned") / "feb-ab-cache"
    done = subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no repository to clone: {done.stderr.strip()}")
    return folder


def test_the_two_commands_are_there():
    assert sorted(COMMANDS) == sorted(CHEAP)


def ran(clone: Path, script: str, *arguments: str) -> str:
    """What a script of the clone prints, run by this interpreter."""
    done = subprocess.run([sys.executable, script, *arguments], cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_demo_starts_in_a_fresh_clone(clone):
    assert "--model" in ran(clone, "scripts/demo.py", *CHEAP["scripts/demo.py"])


@pytest.mark.parametrize("script", COMMANDS)
def test_a_command_of_the_readme_works_in_a_fresh_clone(clone, script):
    if not os.environ.get("README_COMMANDS"):
        pytest.skip("takes minutes: set README_COMMANDS=1 (the demo in full, the tests collected)")
    ran(clone, script, *(CHEAP[script] if script == "scripts/test.py" else ()))
    assert script == "scripts/test.py" or (clone / "out" / "report.json").is_file()

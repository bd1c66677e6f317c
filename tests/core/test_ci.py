"""What CI runs on is what the pack says it supports."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
SCRIPT = (ROOT / "scripts" / "test.py").read_text(encoding="utf-8")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_oldest_python_and_the_oldest_comfyui_that_are_supported_are_tested():
    assert re.search(r'requires-python = ">=(.*)"', PROJECT)[1] == re.search(r'python: \["([\d.]+)"', WORKFLOW)[1]
    assert (
        f"v{re.search(r'requires-comfyui = .>=(.*).$', PROJECT, re.MULTILINE)[1]}"
        == re.search(r'\["(v[\d.]+)"', WORKFLOW)[1]
    )


def test_every_system_runs_the_command_that_anyone_runs():
    assert re.search(r"os: \[(.*)\]", WORKFLOW)[1].split(", ") == ["ubuntu-latest", "windows-latest", "macos-latest"]
    assert "python scripts/test.py" in WORKFLOW
    assert "scripts/test.py" in (ROOT / ".ci" / "run").read_text()


def test_what_is_published_is_checked():
    assert "run: python scripts/published.py" in WORKFLOW
    assert "\npython3 scripts/published.py" in (ROOT / ".ci" / "run").read_text()


def test_what_tests_import_is_pinned_and_looked_for():
    pinned = {re.split("==", line)[0] for line in (ROOT / "requirements-dev.txt").read_text().split()}
    needed = re.search(r"NEEDED = \((.*?)^\)", SCRIPT, re.DOTALL | re.MULTILINE)[1]
    known = {name.replace("PIL", "pillow").replace("_", "-") for name in re.findall(r'"(\w+)"', needed)}
    absent = {"numpy", "ray[serve]"}  # torch brings the one; without the other, which few systems have, tests skip
    assert known == pinned - absent
    assert all("==" in line for line in (ROOT / "requirements-dev.txt").read_text().split())


def test_lint_format_and_types_are_part_of_the_command_that_anyone_runs():
    checks = re.search(r"CHECKS = (.*)", SCRIPT)[1]
    assert checks.startswith('(("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))')
    assert "for check in CHECKS" in SCRIPT
    assert 'files = ["cache_core", "nodes"]' in PROJECT

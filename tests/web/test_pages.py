"""scripts/pages.py reads what pytest says at the end of the tests of the page."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAID = """
==== pages ====
ComfyUI 0.33.0, front end 1.58.1
classic: 12 passed, 1 failed, 0 skipped
Nodes 2.0: 11 passed, 0 failed, 2 skipped
no rendering: 0 passed, 0 failed, 0 skipped
this front end has no Nodes 2.0 (2)
"""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """scripts/pages.py."""
    spec = importlib.util.spec_from_file_location("pages", ROOT / "scripts" / "pages.py")
    sys.modules["pages"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_rendering_is_a_row(script):
    today = script.rows(SAID)[0][-1]
    assert script.table(script.rows(SAID)).splitlines()[2:] == [
        f"| 1.58.1 | 0.33.0 | classic | 12 | 1 | 0 | {today} |",
        f"| 1.58.1 | 0.33.0 | Nodes 2.0 | 11 | 0 | 2 | {today} |",
        f"| 1.58.1 | 0.33.0 | no rendering | 0 | 0 | 0 | {today} |",
    ]


def test_new_counts_of_a_front_end_take_the_place_of_its_old_ones(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "KEPT", tmp_path / "pages.json")
    for text in (SAID, SAID.replace("1.58.1", "1.49.6"), SAID.replace("12 passed", "13 passed")):
        script.keep(script.rows(text))
    rows = json.loads((tmp_path / "pages.json").read_text())["rows"]
    assert [row[:4] for row in rows if row[2] == "classic"] == [
        ["1.49.6", "0.33.0", "classic", "12"],
        ["1.58.1", "0.33.0", "classic", "13"],
    ]


def test_a_run_that_broke_off_has_no_rows(script):
    assert script.rows("INTERNALERROR") == []


def test_pytest_says_it_so(script):
    command = [sys.executable, "-m", "pytest", "-W", "default", "tests/web/test_migration.py"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120).stdout
    rows = {row[2]: row[3:] for row in script.rows(said)}
    assert rows.keys() == {"classic", "Nodes 2.0", "no rendering"}
    assert int(rows["no rendering"][0]) >= 4

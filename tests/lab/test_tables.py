"""The generated tables are those that the hosts and the kept results give."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "scripts" / "make_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["README.md", "docs/MEASURED.md", "docs/MIGRATION.md", "docs/COMPATIBILITY.md"])
def test_the_tables_are_up_to_date(script, name):
    assert script.written(ROOT / name) == (ROOT / name).read_text(encoding="utf-8")


def test_missing_marks_are_named(script):
    with pytest.raises(ValueError, match="no marks for 'models'"):
        script.between("", "models", "")

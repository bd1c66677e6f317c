"""The generated tables are those that the hosts and the kept results give."""

import importlib.util
import json
from pathlib import Path

import pytest

from cache_core.hosts import HOSTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "scripts" / "make_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        *(
            f"docs/{name}.md"
            for name in ("USING", "MODELS", "METHODS", "TRIED", "MEASURED", "MIGRATION", "COMPATIBILITY")
        ),
    ],
)
def test_the_tables_are_up_to_date(script, name):
    assert script.written(ROOT / name) == (ROOT / name).read_text(encoding="utf-8")


def test_missing_marks_are_named(script):
    with pytest.raises(ValueError, match="no marks for 'models'"):
        script.between("", "models", "")


def test_no_cell_of_the_matrix_is_missing_or_failed(script):
    import compatibility
    from scenarios.row import NODES
    from scenarios.rows import ROWS
    from scenarios.scene import FAMILIES

    cells = {
        f"{row.id}-{family}-{node}"
        for row in ROWS
        for family in FAMILIES
        for node in NODES
        if not row.reason(family, node)
    }
    for version, found in compatibility.results().items():
        assert cells == set(found["cells"]), version
        assert not [cell for cell, outcome in found["cells"].items() if outcome.startswith("failed")], version


def test_the_official_templates_are_as_they_should_be(script):
    import template_tables as tables

    for front_end, found in tables.by_front_end().items():
        rows = found["rows"]
        long, loaded = [row for row in rows if tables.long(row)], [row for row in rows if tables.loads(row)]
        assert not [row["template"] for row in rows if tables.wrong(row)], front_end
        assert use(filter(tables.placed, long)) >= 0.97 * use(long), front_end
        assert use(filter(tables.right, loaded)) >= 0.99 * use(loaded), front_end


def use(rows) -> int:
    return sum(row["usage"] for row in rows)


def test_each_family_of_templates_that_samples_long_enough_has_a_host_or_a_reason():
    known = json.loads((ROOT / "scripts" / "template_hosts.json").read_text(encoding="utf-8"))
    use = json.loads((ROOT / "lab" / "results" / "template_use.json").read_text(encoding="utf-8"))["templates"]
    assert {row["family"] for row in use if (row["steps"] or 0) >= 8} == known["hosts"].keys() | known["none"].keys()
    assert set(known["hosts"].values()) <= {host.name for host in HOSTS}

"""The tables of docs/SCALE.md are those that the command prints, and its measurements those that were kept."""

import json
from pathlib import Path

from lab import scale

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "SCALE.md").read_text(encoding="utf-8")


def test_the_tables_are_what_the_command_prints():
    for line in scale.tables():
        assert line in TEXT


def test_the_measurements_are_what_was_kept():
    for file, names in (
        ("library", ("list_ms", "look_up_known_ms", "look_up_changed_ms", "names_ms", "look_up_first_ms", "read_ms")),
        ("fleet", ("overhead",)),
    ):
        kept = json.loads((ROOT / "lab" / "results" / f"{file}.json").read_text())
        assert all(str(kept[name]) in TEXT for name in names)


def test_a_library_of_a_few_plans_is_measured(tmp_path):
    from lab.library import measured

    found = measured(tmp_path, 100)
    assert (found["plans"], found["stale"]) == (100, 50)
    assert len(list(tmp_path.iterdir())) == 50

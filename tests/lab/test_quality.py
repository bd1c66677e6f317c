"""The comparison at equal numbers of evaluations."""

import json

import pytest

from lab import quality
from lab.families import FLUX


@pytest.fixture
def rows(monkeypatch):
    for name, value in {"TESTED": 2, "TOGETHER": 2, "ALONE": 2}.items():
        monkeypatch.setattr(quality, name, value)
    bench = quality.Bench(FLUX, 16)
    return quality.rows_of(bench, 2, {seed: bench.recorded(seed) for seed in (1000, 1001)})


def test_every_setting_runs_the_model_equally_often_and_planned_steps_win(rows):
    assert {row["evaluations"] for row in rows} == {8}
    even = max(row["psnr_db"] for row in rows if row["setting"].startswith("even"))
    assert all(row["psnr_db"] > even for row in rows if row["setting"].startswith("planned"))


def test_the_table_has_a_line_for_each_setting_and_a_gap_where_nothing_was_measured(rows):
    lines = quality.table(json.loads(json.dumps(rows))).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[2].count(" - ") == len(quality.SPEEDUPS) - 1
    assert lines[2].split(" | ")[3] == f"{rows[0]['psnr_db']:.1f} dB"

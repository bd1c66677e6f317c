"""The comparison at equal numbers of evaluations."""

import json
from argparse import Namespace

import pytest

from cache_core.calibrate import Ledger
from cache_core.calibrate.learn import recorded
from lab import ablation, distribution, quality, shifts
from lab.bench import LabBench
from lab.families import FLUX, HUNYUAN_VIDEO


@pytest.fixture
def rows(monkeypatch):
    for name, value in {"TESTED": 2, "ALONE": 2, "TOLERANCES": 3}.items():
        monkeypatch.setattr(quality, name, value)
    return quality.rows_of(quality.Bench(FLUX, 16), 2)


def test_every_setting_runs_the_model_equally_often_and_learned_and_calibrated_plans_win(rows):
    assert {row["evaluations"] for row in rows if row["setting"] != "tolerance, order 2"} == {8}
    even = max(row["psnr_db"] for row in rows if row["setting"].startswith("even"))
    won = [row["psnr_db"] for row in rows if row["setting"].startswith(("learned", "calibrated"))]
    assert len(won) == 2
    assert min(won) > even


def test_the_table_has_a_line_for_each_setting_and_a_gap_where_nothing_was_measured(rows):
    lines = quality.table(json.loads(json.dumps(rows))).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[2].count(" - ") == len(quality.SPEEDUPS) - 1
    assert lines[2].split(" | ")[3] == f"{rows[0]['psnr_db']:.1f} dB"


def test_what_is_measured_already_is_not_measured_again(tmp_path):
    assert quality.kept(tmp_path / "none.json", again=False) == []
    (tmp_path / "some.json").write_text('{"rows": [1]}')
    assert quality.kept(tmp_path / "some.json", again=False) == [1]
    assert quality.kept(tmp_path / "some.json", again=True) == []


def test_the_other_shift_is_measured_on_the_same_weights_and_goes_on_where_it_stopped(monkeypatch, tmp_path):
    monkeypatch.setattr(quality, "TESTED", 2)
    monkeypatch.setattr(quality, "SPEEDUPS", (2, 3))
    video, asked = shifts.shifted(HUNYUAN_VIDEO), []
    assert LabBench(video, 8).sigmas[4] == pytest.approx(0.5)
    assert (video.weights, video.title) == (HUNYUAN_VIDEO.weights, "lab HunyuanVideo, shift 1")
    out = tmp_path / "rows.json"
    out.write_text(json.dumps({"rows": [{"model": "lab FLUX, shift 3", "steps": 8, "speedup": 2}]}))

    def rows_of(bench, speedup):
        asked.append((bench.lab.sigmas[4], speedup))
        return [{"model": bench.lab.family.title, "steps": 8, "speedup": speedup}]

    quality.measured([shifts.shifted(FLUX)], Namespace(out=out, again=False, steps=[8]), rows_of)
    assert asked == [(pytest.approx(0.75), 3)]
    assert [row["speedup"] for row in quality.kept(out, again=False)] == [2, 3]


@pytest.fixture(scope="module")
def ablated():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablation, "TESTED", 2)
        patch.setattr(ablation, "SAMPLES", 2)
        return {solver: ablation.rows_of(ablation.SolvedBench(FLUX, 16, solver)) for solver in ablation.SOLVERS}


def test_the_ablation_compares_plans_of_as_many_steps_and_each_part_is_worth_something(ablated):
    for rows in ablated.values():
        assert [row["setting"] for row in rows] == list(ablation.VARIANTS)
        assert {row["evaluations"] for row in rows} == {5}
        assert len({row["relative_l2"] for row in rows}) == len(rows)
        psnr = {row["setting"]: row["psnr_db"] for row in rows}
        assert psnr["everything"] > max(psnr["outputs matched, not steered"], psnr["even steps, order 2"])
    assert [row["setting"] for row in ablated["euler"] if "drift" in row] == [
        name for name, parts in ablation.VARIANTS.items() if parts.weights == ablation.LEARNED
    ]


def test_the_ablation_s_table_has_a_column_for_each_solver_and_a_gap_where_nothing_was_measured(ablated):
    lines = ablation.table([*ablated["euler"], *ablated["res_multistep"][:3]]).splitlines()
    assert lines[0] == "| plan | euler | res_multistep |"
    assert len(lines) == 2 + len(ablation.VARIANTS)
    assert sum(line.endswith("| - |") for line in lines) == len(ablation.VARIANTS) - 3


def test_each_part_of_the_ablation_makes_another_plan(monkeypatch):
    monkeypatch.setattr(ablation, "TESTED", 1)
    bench = ablation.SolvedBench(FLUX, 16, "euler")
    samples = [recorded(Ledger(bench.lab, 9.0), number) for number in range(2)]
    found = {name: ablation.variant(bench, samples, parts)[0] for name, parts in ablation.VARIANTS.items()}
    kinds = [(plan.schedule.table(bench.lab.timeline), plan.predictor) for plan in found.values()]
    assert all(kinds.count(kind) == 1 for kind in kinds)
    assert not hasattr(found["even steps, order 2"].predictor, "fits")


def test_a_set_s_distance_does_not_depend_on_how_it_is_drawn_in_chunks(monkeypatch):
    bench, scenes = (
        LabBench(FLUX, 8),
        distribution.statistics_of(distribution.features(distribution.reference(FLUX, 40, 1))),
    )
    draw = distribution.fewer(bench, "euler", 2)
    whole = distribution.distance(draw, scenes, 5)
    monkeypatch.setattr(distribution, "CHUNK", 2)
    assert distribution.distance(draw, scenes, 5) == pytest.approx(whole, rel=1e-4)
    assert whole > 0

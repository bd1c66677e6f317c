"""The comparison of FEB tables at equal measured compute, and exposure bias in numbers."""

import json
import math

import pytest

from cache_core import OUTPUT, Kind, NoiseScale, Plan, Steps
from lab import feb
from lab.families import FLUX

PRIOR = ("the prior's steps, order 2", "the prior's steps and weights")


@pytest.fixture(scope="module")
def measured():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feb, "TESTED", 3)
        bench = feb.FebBench(FLUX, 16)
        lab, found = feb.calibrated(bench, 16.0)
        yield bench, lab, found


@pytest.fixture(scope="module")
def compared(measured):
    return feb.rows_of(*measured, 2.0)


def test_all_settings_keep_to_the_budget_and_the_calibrated_plan_beats_even_steps_and_rules(compared):
    rows, found = compared
    by_name = {row["setting"]: row for row in rows}
    assert all(row["speedup"] >= 2.0 for row in rows)
    assert "learned from 1 picture" in by_name
    for name in ("even steps, reuse", "even steps, order 2", "Algorithm 1"):
        assert by_name["calibrated"]["psnr_db"] > by_name[name]["psnr_db"]
    assert found["of_which_measuring"] < found["uncached_generations"] <= 16
    assert found["samples"] == 2


def test_the_prior_s_steps_are_as_many_as_even_ones_and_its_weights_bring_them_nearer(measured, compared):
    bench, _, found = measured
    plans = feb.compared(bench, found, 2.0)
    even, bare, prior = (plans[name] for name in ("even steps, order 2", *PRIOR))
    computed = [plan.schedule.table(bench.timeline).computed(Kind.MLP) for plan in (even, bare, prior)]
    assert len(computed[0]) == len(computed[1])
    assert computed[0] != computed[1] == computed[2]
    assert prior.merge
    assert prior.predictor.fits
    psnr = {row["setting"]: row["psnr_db"] for row in compared[0]}
    assert psnr[PRIOR[1]] > psnr[PRIOR[0]] > psnr["even steps, order 2"]


def test_a_plan_pays_for_itself_only(measured, compared):
    _, ledger, _ = measured
    assert ledger.spent == pytest.approx(compared[1]["of_which_measuring"], abs=0.05)


def test_the_table_has_a_line_for_each_setting_and_a_gap_where_nothing_was_measured(measured, compared):
    bench, _, found = measured
    rows = json.loads(json.dumps([*compared[0], feb.released_row(bench, found, 1, NoiseScale())]))
    lines = feb.table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[-1].split(" | ")[2:4] == ["released table, reuse", "-"]


def test_the_curves_name_what_was_seen_and_leave_out_what_was_not(measured):
    bench, _, found = measured
    rows = feb.curve_rows(bench, found)
    assert len(rows) == 2 * 3 * 2
    seen = [e for row in rows for e in row["relative_error_by_age"] if e is not None]
    assert seen
    assert all(math.isfinite(e) and e >= 0 for e in seen)


def test_exposure_has_a_row_for_each_step_and_an_uncached_run_beside_a_plan_that_computes_all(measured):
    bench, _, _ = measured
    rows = feb.exposure(bench, {"all": Plan(Steps(OUTPUT, tuple(range(16))))})
    assert [row["step"] for row in rows] == list(range(16))
    assert all(row["all"] == row["uncached"] for row in rows)
    assert (
        rows[0]["training"] == rows[0]["uncached"] == pytest.approx(1, abs=0.05)
    )  # pure noise is the same state in both
    assert any(row["training"] != row["uncached"] for row in rows[1:])


def test_a_plan_that_computes_all_needs_no_scale(measured):
    bench, _, found = measured
    scale = feb.matched_scale(bench, Plan(Steps(OUTPUT, tuple(range(16)))), found)
    assert (scale.high, scale.low) == pytest.approx((1, 1), abs=1e-4)

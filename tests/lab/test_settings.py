"""The comparison at settings that people run, small."""

import json
import sys

import pytest
import torch

from lab import settings
from lab.easycache import EasyCache, at_most
from lab.families import FLUX
from lab.sample import simple_sigmas
from lab.settings_cell import SETTINGS, Cell, Setting
from lab.solvers import euler

PLANS = ("AB-Cache", "FEB-Cache")


@pytest.fixture(scope="module")
def rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "LEARNERS", 2)
        return settings.rows_of(Cell(FLUX, SETTINGS["i"], 2))


def named(rows, start):
    return [row for row in rows if row["name"].startswith(start)]


def test_each_kind_is_measured_and_learned_plans_keep_to_their_evaluations(rows):
    assert {row["kind"] for row in rows} == {"fixed cadence", "fewer steps", "EasyCache", *PLANS}
    assert [row["evaluations"] for row in named(rows, "AB-Cache, learned from 1")] == [6, 5]
    assert all(row["worst_psnr_db"] <= row["psnr_db"] for row in rows)
    inside = [row for row in rows if "hidden state" in row["name"] or row["kind"] == "FEB-Cache"]
    assert all(row["evaluations"] < row["work"] < row["steps"] for row in inside if row["evaluations"] < row["steps"])
    assert all(row["work"] == row["evaluations"] for row in rows if row not in inside)


def test_every_plan_stands_beside_others_with_as_much_work(rows):
    for row in (row for row in rows if row["kind"] in PLANS):
        beside = [other for other in rows if other["evaluations"] == round(row["work"])]
        assert {other["name"] for other in beside if other["kind"] == "fewer steps"} >= {"euler", "res_multistep"}
        assert settings.best(rows, "EasyCache", row["work"])


def test_no_row_is_there_twice(rows):
    assert len({json.dumps(row) for row in rows}) == len(rows)


def test_a_learned_plan_is_nearer_than_fewer_steps_of_the_same_sampler(rows):
    for row in named(rows, "AB-Cache, learned from 1"):
        fewer = next(r for r in rows if (r["name"], r["evaluations"]) == ("euler", row["evaluations"]))
        assert row["psnr_db"] > fewer["psnr_db"]


def test_the_best_has_no_more_work():
    rows = [{"kind": "k", "work": work, "psnr_db": work} for work in (6, 7, 8)]
    assert settings.best(rows, "k", 7.4)["work"] == 7
    assert settings.best(rows, "k", 5) is None
    assert settings.best(rows, "other", 8) is None


def test_the_table_has_a_line_for_each_plan_and_the_summary_one_for_each_cell(rows):
    plans = [row for row in rows if row["kind"] in PLANS]
    lines = settings.table(rows).splitlines()
    assert len(lines) == 2 + len(plans)
    assert f"**{plans[0]['psnr_db']:.1f}** ({plans[0]['worst_psnr_db']:.1f})" in lines[2]
    assert len({line.count("|") for line in lines}) == 1
    assert len(settings.summary(rows).splitlines()) == 3


def test_the_second_expert_goes_on_from_the_first_one_s_latent_and_plans_are_per_expert():
    cell = Cell(FLUX, SETTINGS["d"], 1)
    first, second = cell.parts
    assert (*first.sigmas[:-1], *second.sigmas) == simple_sigmas(20, 5)
    noise, labels = first.drawn([7])
    assert torch.equal(second.drawn([7])[0], first.run(noise, labels))
    whole = Cell(FLUX, Setting("whole", 20, cfg=3.5, shift=5), 1)
    torch.testing.assert_close(cell.uncached, whole.uncached)
    row = cell.learned("AB-Cache", settings.OUTPUT, 2.0, 1)
    assert (row["evaluations"], row["steps"]) == (10, 20)


def test_what_is_measured_already_is_not_measured_again(monkeypatch, tmp_path, capsys):
    asked, out = [], tmp_path / "rows.json"

    def rows_of(cell):
        asked.append(cell)
        return []

    monkeypatch.setattr(settings, "Cell", lambda family, setting, pictures: (family.name, setting.name, pictures))
    monkeypatch.setattr(settings, "rows_of", rows_of)
    done = {"model": "flux", "setting": SETTINGS["i"].text(FLUX), "kind": "fewer steps", "work": 5}
    out.write_text(json.dumps({"rows": [done]}))
    monkeypatch.setattr(
        sys, "argv", ["settings", "--models", "flux", "--settings", "i", "a", "--pictures", "2", "--out", str(out)]
    )
    settings.main()
    assert asked == [("flux", "a", 2)]
    assert json.loads(out.read_text())["rows"] == [done]
    assert capsys.readouterr().out.startswith("| model | setting |")


def curve(x, sigma):
    return torch.tanh(x) + sigma


def test_easycache_computes_all_steps_at_threshold_0_and_those_at_the_ends_in_any_case():
    noise, sigmas = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1)), simple_sigmas(20)
    whole, least = EasyCache(curve, 0.0, 1.0), EasyCache(curve, 1e9, 1.0)
    assert torch.equal(euler(whole, noise, sigmas), euler(curve, noise, sigmas))
    euler(least, noise, sigmas)
    # sigmas above 0.85, the two that make the first ratio, and those up to 0.05
    assert (whole.computed, least.computed) == (20, 3 + 2 + 1)


def test_bisection_finds_the_lowest_threshold_that_computes_few_enough():
    seen = []

    def sampled(threshold):
        seen.append(threshold)
        return (20 - int(10 * threshold), threshold)

    computed, threshold = at_most(sampled, 12)
    assert computed == 12
    assert threshold == pytest.approx(0.8, abs=0.01)
    assert at_most(lambda threshold: (9, threshold), 8) == (9, 3.0)

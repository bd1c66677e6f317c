"""The plans that come with the pack: what the script makes, and what was published."""

import importlib.util
from pathlib import Path

import pytest

from cache_core import MODULES, OUTPUT, Kind, Released, Timeline
from cache_core.saved_plan.file import BUNDLED, load

ROOT = Path(__file__).resolve().parents[2]


def made():
    spec = importlib.util.spec_from_file_location("make_plans", ROOT / "scripts" / "make_plans.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.plans()


PLANS = made()


def test_the_folder_holds_just_what_the_script_makes():
    assert {path.name: load(path) for path in BUNDLED.iterdir()} == PLANS


@pytest.mark.parametrize("name", PLANS)
def test_each_says_that_it_is_published_and_not_ours_and_carries_no_fits(name):
    plan = PLANS[name]
    assert "published, not ours" in plan.text()
    assert (plan.fits, plan.drift, plan.costs, plan.origin.samples, plan.origin.weights) == ((), None, None, 0, "")
    assert plan.origin.model == {"flux": "Flux", "hunyuan": "HunyuanVideo"}[name.split("_")[0]]


@pytest.mark.parametrize("name", [name for name, plan in PLANS.items() if plan.table.kinds == OUTPUT])
def test_a_list_computes_as_many_steps_as_its_name_says_and_the_first_one(name):
    computed = PLANS[name].table.computed(Kind.MODEL)
    assert len(computed) == int(name.removesuffix(".safetensors").rsplit("_", 1)[1])
    assert computed[0] == 0
    assert computed[-1] == (48 if "ab_cache" in name else 49)  # AB-Cache's code predicts the last step


def test_the_released_table_is_the_one_of_the_preset():
    tables = [plan.table for plan in PLANS.values() if plan.table.kinds == MODULES]
    assert tables == [Released().table(Timeline.even(50))] * 2


def test_at_the_sigmas_it_is_for_a_list_is_taken_as_it_is_and_at_others_it_is_moved_and_says_so():
    plan = PLANS["flux_hill_psnr_13.safetensors"]
    assert plan.plan(Timeline.flow(plan.sigmas), "x").notes == ()
    moved = plan.plan(Timeline.even(28), "x")
    assert "moved over sigma" in moved.notes[0]
    assert len(moved.schedule.table(Timeline.even(28)).computed(Kind.MODEL)) == round(13 * 28 / 50)

"""Plan files: what is saved is what is loaded, and anything else is refused with a reason."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from cache_core import MODULES, ConfigError, NoiseScale, Timeline
from cache_core.predictor import Fit
from cache_core.saved_plan.costs import Costs
from cache_core.saved_plan.curves import Curves
from cache_core.saved_plan.file import KEY, load, save
from cache_core.saved_plan.saved_plan import Origin, SavedPlan, model_plan
from cache_core.schedule import TableAt, from_steps
from cache_core.site import BRANCHES

SIGMAS = Timeline.even(10).sigmas
FITS = (Fit(0.8, (0.9, 1.0), (2.0, -1.0)), Fit(0.7, (0.7, 0.9, 1.0), (1.1, 0.2, -0.3)), Fit(0.6, (0.7,), (1.0,)))
PLAN = model_plan((0, 1, 3, 9), SIGMAS, Origin("Flux", "abc", "euler", 256, 1, "2026-01-01"), FITS, 0.0123)
CURVES = Curves((((((0.1, 0.2),) * 2,) * 3),) * 2)
FEB = SavedPlan(
    Origin("Flux", samples=8),
    TableAt(from_steps(MODULES, (0, 2, 9), 10), SIGMAS),
    order=1,
    drift=0.1,
    corrector=NoiseScale(0.99, 1.02, 0.3, staged=False),
    costs=Costs(0.7, 0.6, 0.2, 0.1),
    curves=CURVES,
)
CLIP = replace(PLAN, others=(FITS[:1], FITS[1:]), drifts=(("video", 0.01), ("audio", 0.0123)))


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        model_plan((0, 9), SIGMAS, Origin("")),
        SavedPlan(Origin("Flux"), TableAt(from_steps(MODULES, (0, 2, 9), 10), SIGMAS), order=3),
        SavedPlan(Origin("WanModel"), TableAt(from_steps(BRANCHES, (0, 1, 5), 10), SIGMAS), order=1),
        FEB,
        CLIP,
    ],
)
def test_what_is_saved_is_loaded(plan, tmp_path):
    save(plan, tmp_path / "plans" / "p.safetensors")
    loaded = load(tmp_path / "plans" / "p.safetensors")
    assert (loaded, loaded.origin.made) == (plan, plan.origin.made)


def test_a_plan_that_leaves_a_branch_out_saves_half_of_each_such_step():
    gate = SavedPlan(Origin("WanModel"), TableAt(from_steps(BRANCHES, (0, 1, 5), 10), SIGMAS), order=1)
    assert gate.speedup == pytest.approx(10 / 6.5)
    assert "guidance computed at 3 steps: 0, 1, 5" in gate.text()


def test_the_day_a_plan_was_made_is_no_part_of_what_plans_are_compared_by():
    # Was wrong once (saved_plan.Origin): two plans of one bench were not equal when midnight lay between them.
    other = replace(PLAN, origin=replace(PLAN.origin, made="2026-01-02"))
    assert other == PLAN
    assert hash(other.origin) == hash(PLAN.origin)
    assert replace(PLAN, origin=replace(PLAN.origin, samples=2)) != PLAN


def test_a_plan_for_a_clip_says_what_each_modality_drifts_by():
    assert "(video 0.0100, audio 0.0123)" in CLIP.text()
    assert "for video and sound each its own" in CLIP.text()
    assert "video" not in PLAN.text()


def damaged(tmp_path, change=None, **tensors):
    """The plan's file with its facts or tensors changed."""
    path = tmp_path / "p.safetensors"
    save(PLAN, path)
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        facts, kept = json.loads(file.metadata()[KEY]), {name: file.get_tensor(name) for name in ("sigmas", "fits")}
    facts.update(change or {})
    save_file({**kept, **tensors}, path, {KEY: json.dumps(facts)})
    return path


ORIGIN = {"model": "Flux", "weights": "", "sampler": "", "cells": 1, "samples": 0, "made": ""}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "Update the pack"),
        ({"rows": []}, "rows"),
        ({"rows": [["model"]] * 11}, "rows"),
        ({"rows": [[]] * 10}, "step 0"),
        ({"rows": [["engine"]] * 10}, "not a plan"),
        ({"kinds": 7}, "not a plan"),
        ({"origin": {}}, "not a plan"),
        ({"order": 9}, "order"),
        ({"drift": "far"}, "not a plan"),
        ({"drift": -1}, "drift is -1"),
        ({"drift": float("nan")}, "drift is nan"),
        ({"drift": 10**400}, "not a plan"),
        ({"order": float("inf")}, "not a plan"),
        ({"kinds": [], "rows": [[]] * 10}, "for nothing"),
        ({"kinds": ["blocks"]}, "for blocks"),
        ({"kinds": ["attention", "model"]}, "for attention and model"),
        ({"origin": {**ORIGIN, "cells": -1}}, "cells is -1"),
        ({"origin": {**ORIGIN, "samples": 10**20}}, "samples is"),
        ({"corrector": {"high": 2.0, "low": 1, "boundary": 0.4, "staged": True}}, "noise_scale_high"),
        ({"corrector": 7}, "not a plan"),
        ({"corrector": {"high": 1.0}}, "not a plan"),
        ({"costs": {"attention": 0.5}}, "not a plan"),
        ({"costs": {"attention": -1, "mlp": 0.5, "both": 0.2, "merged": 0.1}}, "cost of reusing attention"),
        ({"costs": {"attention": "nan", "mlp": 0.5, "both": 0.2, "merged": 0.1}}, "cost of reusing attention"),
    ],
)
def test_facts_that_make_no_plan_are_refused(change, reason, tmp_path):
    with pytest.raises(ConfigError, match=reason):
        load(damaged(tmp_path, change)).plan(Timeline.even(10), "x")


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"sigmas": torch.zeros(11)}, "do not fall"),
        ({"sigmas": torch.full((11,), float("nan"))}, "rows and sigmas"),
        ({"sigmas": torch.ones(3)}, "rows"),
        ({"sigmas": torch.zeros(11, dtype=torch.complex64)}, "sigmas are torch.complex64"),
        ({"sigmas": torch.arange(11)}, "sigmas are torch.int64"),
        ({"sigmas": torch.ones(11).to(torch.float8_e4m3fn)}, "sigmas are torch.float8"),
        ({"fits": torch.ones(())}, "not a plan"),
        ({"curves": torch.ones(60_000, 1, 1, 1)}, "error curves"),
        ({"fits": torch.full((2, 5), float("nan"))}, "not finite"),
        ({"fits": torch.full((2, 5), 1e9)}, "larger than"),
        ({"curves": torch.ones(2, 3, 2)}, "error curves"),
        ({"curves": torch.ones(2, 3, 3, 5)}, "error curves"),
        ({"curves": -torch.ones(2, 3, 2, 5)}, "error curves"),
        ({"curves": torch.ones(2, 3, 2, 65)}, "error curves"),
        ({"curves": torch.full((2, 3, 2, 5), float("inf"))}, "error curves"),
        ({"curves": torch.ones(2, 3, 2, 0)}, "error curves"),
        ({"fits": torch.ones(2, 4)}, "shape"),
        ({"fits": torch.ones(3)}, "shape"),
        ({"fits": torch.ones(2000, 3)}, "shape"),
    ],
)
def test_tensors_that_make_no_plan_are_refused(tensors, reason, tmp_path):
    with pytest.raises(ConfigError, match=reason):
        load(damaged(tmp_path, **tensors))


def test_words_from_a_file_are_short_and_on_one_line(tmp_path):
    origin = load(damaged(tmp_path, {"origin": {**ORIGIN, "model": "a\nb\x1b[31m\u202ec", "made": "x" * 5000}})).origin
    assert (origin.model, len(origin.made)) == ("ab[31mc", 200)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "\x1b[2J" + "x" * 9000},
        {"version": 10**4000},
        {"version": [[2]] * 9000},
        {"order": 10**4000},
        {"drift": -(10**300)},
        {"origin": {**ORIGIN, "cells": 10**4000}},
        {"costs": {"attention": 1e308, "mlp": 0.5, "both": 0.2, "merged": 0.1}},
        {"corrector": {"high": 1e308, "low": 1, "boundary": 0.4, "staged": True}},
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_few_letters_whatever_it_holds(change, tmp_path):
    # Was wrong once (saved_plan.file.load): a version of a megabyte was shown whole, with its terminal codes.
    with pytest.raises(ConfigError) as error:
        load(damaged(tmp_path, change)).plan(Timeline.even(10), "x")
    assert len(str(error.value)) < 300
    assert str(error.value).isprintable()


def test_a_tensor_of_many_axes_is_not_counted_out(tmp_path):
    with pytest.raises(ConfigError) as error:
        load(damaged(tmp_path, sigmas=torch.ones((1,) * 60)))
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"{}", b"\xff" * 64])
def test_a_file_that_is_not_ours_is_refused_by_name(content, tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"other\.safetensors is not a plan"):
        load(path)


def test_a_model_s_file_and_a_huge_one_are_refused(tmp_path):
    save_file({"weight": torch.ones(3)}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="not a plan of this pack"):
        load(tmp_path / "model.safetensors")
    save_file({"weight": torch.ones(2**21)}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="bytes"):
        load(tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="no plan gone"):
        load(tmp_path / "gone.safetensors")


def test_a_file_with_expected_errors_as_older_packs_wrote_them_is_read_without(tmp_path):
    path = damaged(tmp_path, expected=torch.tensor([[0.8, 0.01], [0.7, 0.02]], dtype=torch.float64))
    assert load(path) == PLAN


def test_a_file_of_before_there_were_scales_costs_and_curves_is_read(tmp_path):
    """Plans without them are written as they were then, and what is written now can be read by a pack that does not
    know them."""
    path = tmp_path / "p.safetensors"
    save(PLAN, path)
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        facts, tensors = json.loads(file.metadata()[KEY]), set(file.keys())
    assert facts.keys() == {"version", "origin", "kinds", "rows", "order", "drift"}
    assert tensors == {"sigmas", "fits"}
    assert (load(path).costs, load(path).curves, load(path).corrector.active) == (None, None, False)

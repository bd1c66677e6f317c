"""Plan files: what is saved is what is loaded, and anything else is refused with a reason."""

import json

import pytest
import torch
from safetensors.torch import save_file

from cache_core import MODULES, ConfigError, Timeline
from cache_core.cache_plan import CachePlan, Origin, model_plan
from cache_core.plan_file import KEY, load, save
from cache_core.predictor import Fit
from cache_core.schedule import Planned, from_steps

SIGMAS = Timeline.even(10).sigmas
FITS = (Fit(0.8, (0.9, 1.0), (2.0, -1.0)), Fit(0.7, (0.7, 0.9, 1.0), (1.1, 0.2, -0.3)), Fit(0.6, (0.7,), (1.0,)))
PLAN = model_plan((0, 1, 3, 9), SIGMAS, Origin("Flux", "abc", "euler", 256, 1, "2026-01-01"), FITS, 0.0123)


@pytest.mark.parametrize("plan", [PLAN, model_plan((0, 9), SIGMAS, Origin("")),
                                  CachePlan(Origin("Flux"), Planned(from_steps(MODULES, (0, 2, 9), 10), SIGMAS), order=3)])
def test_what_is_saved_is_loaded(plan, tmp_path):
    save(plan, tmp_path / "plans" / "p.safetensors")
    assert load(tmp_path / "plans" / "p.safetensors") == plan


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


@pytest.mark.parametrize(("change", "reason"), [
    ({"version": 2}, "Update the pack"), ({"rows": []}, "rows"), ({"rows": [["model"]] * 11}, "rows"), ({"rows": [[]] * 10}, "step 0"),
    ({"rows": [["engine"]] * 10}, "not a plan"), ({"kinds": 7}, "not a plan"), ({"origin": {}}, "not a plan"), ({"order": 9}, "order"),
    ({"drift": "far"}, "not a plan")])
def test_facts_that_make_no_plan_are_refused(change, reason, tmp_path):
    with pytest.raises(ConfigError, match=reason):
        load(damaged(tmp_path, change)).plan(Timeline.even(10), "x")


@pytest.mark.parametrize(("tensors", "reason"), [
    ({"sigmas": torch.zeros(11)}, "do not fall"), ({"sigmas": torch.full((11,), float("nan"))}, "rows and sigmas"),
    ({"sigmas": torch.ones(3)}, "rows"),
    ({"fits": torch.full((2, 5), float("nan"))}, "not finite"), ({"fits": torch.full((2, 5), 1e9)}, "larger than"),
    ({"fits": torch.ones(2, 4)}, "shape"), ({"fits": torch.ones(3)}, "shape"), ({"fits": torch.ones(2000, 3)}, "shape")])
def test_tensors_that_make_no_plan_are_refused(tensors, reason, tmp_path):
    with pytest.raises(ConfigError, match=reason):
        load(damaged(tmp_path, **tensors))


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

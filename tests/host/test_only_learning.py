"""Samplings of a script that wants plans: what is sampled, what is not, and what is told."""

from importlib import import_module

import pytest
import torch
from test_learning import evaluations, ksample

from lab.families import FLUX
from lab.in_comfyui import comfyui_model

pytestmark = pytest.mark.usefixtures("plans")
STEPS = 24


@pytest.fixture(scope="module")
def model():
    return comfyui_model(FLUX)


@pytest.fixture
def wanted(pack):
    """The module; what is wanted is taken back after the test."""
    module = import_module(f"{pack.__name__}.nodes.comfy.only_learning")
    yield module
    module.want(None)


@pytest.fixture
def cached(model, ab):
    return ab(model, "auto", learn=True)[0]


def outcomes(wanted, model, **how):
    wish = wanted.Wish("1", **how)
    wanted.want(wish)
    samples, count = evaluations(model)
    wanted.want(None)
    return samples, count, [(own.result, own.reason) for own in wish.outcomes], wish.outcomes[0].key


def test_a_plan_is_learned_and_then_nothing_is_sampled(wanted, cached, plans):
    first, count, said, key = outcomes(wanted, cached)
    assert (count, said) == (STEPS + 2 * (STEPS // 3), [("learned", "")])
    ((path, content),) = [(path, path.read_bytes()) for path in plans.iterdir()]
    again, count, said, same = outcomes(wanted, cached)
    assert (count, said, same) == (0, [("known", "")], key)
    assert not again.any()  # the latent that came in
    assert first.any()
    path.unlink()
    evaluations(cached)  # somebody who wants a picture
    assert [own.read_bytes() for own in plans.iterdir()] == [content]


def test_a_dry_run_tells_the_key_and_samples_nothing(wanted, cached, plans):
    _, count, said, key = outcomes(wanted, cached, dry=True)
    assert (count, said) == (0, [("would be learned", "")])
    assert list(plans.iterdir()) == []
    assert outcomes(wanted, cached)[3] == key


@pytest.mark.parametrize(("reason", "said"), [("", ("known", "")), ("noise", ("nothing to learn", "noise"))])
def test_keys_that_another_process_knows_are_left_alone(wanted, cached, plans, reason, said):
    key = outcomes(wanted, cached, dry=True)[3]
    assert outcomes(wanted, cached, known={key: reason})[1:3] == (0, [said])
    assert list(plans.iterdir()) == []


def test_more_pictures_are_recorded_and_fitted(wanted, cached, plans, pack):
    file = import_module(f"{pack.__name__}.cache_core.saved_plan.file")
    _, count, said, _ = outcomes(wanted, cached, pictures=3)
    assert said == [("learned", "")]
    assert count == 3 * STEPS + 4 * (STEPS // 3)
    (path,) = plans.iterdir()
    three = file.load(path)
    assert three.origin.samples == 3
    path.unlink()
    outcomes(wanted, cached, pictures=1)
    assert file.load(*plans.iterdir()).fits != three.fits


def test_a_sampler_that_only_makes_an_input_samples_as_without_a_cache(wanted, cached, model, monkeypatch):
    monkeypatch.setattr(wanted.Wish, "here", False)
    wish = wanted.Wish("1")
    wanted.want(wish)
    samples, count = evaluations(cached)
    wanted.want(None)
    assert (count, wish.outcomes) == (STEPS, [])
    assert torch.equal(samples, evaluations(model)[0])


def test_settings_that_change_with_each_sampling_are_learned_all_the_same(wanted, cached, plans):
    for steps in range(20, 26):
        wanted.want(wanted.Wish("1"))
        ksample(cached, steps=steps)
    assert len(list(plans.iterdir())) + len(wanted.plan_folder.unlearnable) == 6


def test_a_sampler_that_cannot_be_learned_from_is_told(wanted, cached):
    wish = wanted.Wish("1")
    wanted.want(wish)
    ksample(cached, steps=20, sampler="euler_ancestral")
    ksample(cached, steps=5)
    assert [own.result for own in wish.outcomes] == ["nothing to learn"] * 2
    assert "new noise" in wish.outcomes[0].reason
    assert "so few steps" in wish.outcomes[1].reason

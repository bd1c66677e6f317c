"""Cache Method in a real ComfyUI: each method reuses, says so, and leaves the model as it was."""

import pytest
import torch
from comfy_models import ksample as sample
from comfy_models import unet
from test_learning import STEPS, evaluations, ksample, model  # noqa: F401 (fixtures)

pytestmark = pytest.mark.usefixtures("plans")


@pytest.fixture
def methods(pack):
    return {name: pack.NODE_CLASS_MAPPINGS["CacheMethod"]() for name in method_names(pack)}


def method_names(pack):
    return pack.NODE_CLASS_MAPPINGS["CacheMethod"].INPUT_TYPES()["required"]["method"][0]


def test_nothing_saved_is_bit_identical(model, methods):  # noqa: F811
    plain = ksample(model, steps=STEPS)
    for name, node in methods.items():
        cached, _ = node.apply(model, name, strength=0.0)
        assert torch.equal(ksample(cached, steps=STEPS), plain), name


def test_half_the_evaluations_are_saved_and_the_model_stays_as_it_was(model, methods):  # noqa: F811
    plain = ksample(model, steps=STEPS)
    for name, node in methods.items():
        cached, mailbox = node.apply(model, name, strength=0.5)
        first, second = ksample(cached, steps=STEPS), ksample(cached, steps=STEPS)
        assert not torch.equal(first, plain), name
        assert torch.equal(first, second), name
        assert min(mailbox.latest.shares.values()) <= 0.6, name
        assert torch.equal(ksample(model, steps=STEPS), plain), name


def test_learned_curves_cost_one_full_picture(model, methods):  # noqa: F811
    plain = ksample(model, steps=STEPS)
    for name, node in methods.items():
        cached, _ = node.apply(model, name, strength=0.5, curves="learned on this model")
        recorded, _ = evaluations(cached)
        assert torch.equal(recorded, plain), name
        assert not torch.equal(ksample(cached, steps=STEPS), plain), name


def test_a_model_without_known_blocks_has_its_output_reused(methods):
    cached, mailbox = methods["MagCache"].apply(unet(), "MagCache", curves="learned on this model")
    for _ in range(2):
        sample(cached, steps=10, channels=4)
    assert mailbox.latest.shares["model"] <= 0.6

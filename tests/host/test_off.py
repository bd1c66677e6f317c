"""The preset off: the model is as it was before the node, and all who show something say so."""

import pytest
import torch
from comfy_models import flux, ksample, unet

NODES = {"FEBCacheApply": "FEB-Cache", "ABCacheApply": "AB-Cache"}


@pytest.fixture(params=NODES)
def node(request, pack):
    return pack.NODE_CLASS_MAPPINGS[request.param]()


def test_off_is_bit_identical_to_no_node_and_leaves_nothing_on_the_model(model, node):
    off, mailbox, _ = node.apply(model, "off", node_id="1", interval=3, mlp_interval=4, learn=True)
    assert off is model
    assert not off.wrappers
    assert torch.equal(ksample(off), ksample(model))
    assert mailbox.latest is None


def test_off_does_not_even_look_at_the_model_a_plan_or_other_widgets(node):
    model = unet()  # which FEB-Cache cannot separate
    assert node.apply(model, "off", plan=object(), stage_boundary=7.0, tolerance=9.0)[0] is model
    if "FEB" in type(node).__name__:
        with pytest.raises(TypeError):
            node.apply(model, "auto")


def test_both_models_of_a_pair_stay_as_they_are(model, node):
    second = flux()
    assert node.apply(model, "off", model_2=second)[2] is second
    missing = node.apply(model, "off")[2]
    assert "Connect the second model to it" in missing.message


def test_off_leaves_the_cache_of_another_node_on_the_model(model, feb, pack):
    cached = feb(model)[0]
    assert pack.NODE_CLASS_MAPPINGS["ABCacheApply"]().apply(cached, "off")[0] is cached


def test_cache_report_says_off(model, node, pack):
    mailbox = node.apply(model, "off")[1]
    text = pack.NODE_CLASS_MAPPINGS["CacheReport"]().read({"samples": object()}, mailbox)["ui"]["text"][0]
    assert text.startswith(f"{NODES[type(node).__name__]} is off")

"""ControlNets that wait for the model (nodes/control.py)."""

import gc
import sys
from copy import copy
from weakref import ref

import pytest


class Asked:
    """Stands for a ControlNet; answers with how often it was asked."""

    strength = 0.7

    def __init__(self):
        self.times = 0

    def get_control(self, x, t, cond, batched, options):
        self.times += 1
        return {"input": [x, t, self.times, *cond]}


@pytest.fixture
def control(pack):
    return sys.modules[f"{pack.__name__}.nodes.comfy.controlnet"]


def test_a_waiting_controlnet_is_asked_once_its_residuals_arrive(control):
    asked = Asked()
    ((only,),) = control.waiting([[{"control": asked}]])
    noted = only["control"].get_control(1, 2, {"c_crossattn": 0}, 1, {})
    assert asked.times == 0
    assert control.arrived(noted) == {"input": [1, 2, 1, "c_crossattn"]}
    assert copy(only["control"]).strength == only["control"].strength == 0.7


def test_a_call_that_waits_dies_with_what_it_is_put_into(control):
    ((only,),) = control.waiting([[{"control": Asked()}]])
    cond = {"c_crossattn": Asked()}
    gone = ref(cond["c_crossattn"])
    cond["control"] = only["control"].get_control(1, 2, cond, 1, {})  # as ComfyUI does
    gc.disable()
    del cond
    gc.enable()
    assert gone() is None


def test_the_copy_of_another_device_waits_too(control):
    asked, copied = Asked(), Asked()
    asked.get_instance_for_device = {"cuda:1": copied}.get
    ((only,),) = control.waiting([[{"control": asked}]])
    noted = only["control"].get_instance_for_device("cuda:1").get_control(1, 2, {}, 1, {})
    assert (asked.times, copied.times) == (0, 0)
    assert control.arrived(noted)["input"][2] == copied.times == 1


@pytest.mark.parametrize("residuals", [None, {"input": []}])
def test_residuals_that_have_not_waited_arrive_as_they_are(control, residuals):
    assert control.arrived(residuals) is residuals


def test_conditionings_share_what_they_shared_and_stay_as_they_were(control):
    a, b, free = Asked(), Asked(), {"uuid": 1}
    conds = [[{"control": a}, {"control": b}], None, [{"control": a}, free]]
    positive, nothing, negative = control.waiting(conds)
    assert positive[0]["control"] is negative[0]["control"] is not positive[1]["control"]
    assert (nothing, negative[1]) == (None, free)
    assert conds[0][0]["control"] is a


@pytest.mark.parametrize(
    ("options", "heard"),
    [
        ({}, False),
        ({"transformer_options": {"wrappers": {"apply_model": {"ours": [print]}}}}, False),
        ({"transformer_options": {"wrappers": {"apply_model": {"ours": [print], "another": []}}}}, False),
        ({"transformer_options": {"wrappers": {"apply_model": {"ours": [print], "another": [print]}}}}, True),
        ({"transformer_options": {"wrappers": {"apply_model": {None: [print]}}}}, True),
        ({"model_function_wrapper": print}, True),
    ],
)
def test_who_else_sees_the_residuals(control, options, heard):
    assert control.overheard(options, "ours") is heard

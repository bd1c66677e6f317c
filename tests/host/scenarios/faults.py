"""Cancels and failures: what was underway is thrown away whole, and the next run is as if nothing had been."""

from contextlib import contextmanager

import pytest
import torch
from scenarios.row import Row
from scenarios.scene import STEPS, Scene


class Broken(Exception):
    """What a block of a broken model raises."""


def cancelled_at_each_step(scene: Scene, node):
    """At each step in turn, as ComfyUI cancels: an exception out of the step's callback. Then the run as a whole."""
    from comfy.model_management import InterruptProcessingException

    model = node(scene.model)
    for last in range(STEPS):

        def cancel(step, *_, last=last):
            if step == last:
                raise InterruptProcessingException

        with pytest.raises(InterruptProcessingException):
            scene.sample(model, callback=cancel)
    return [scene.sample(model)]


def cancelled_in_the_model(scene: Scene, node):
    """ComfyUI raises from within any linear layer, too (H20)."""
    from comfy.model_management import InterruptProcessingException

    model = node(scene.model)
    with failing(scene, 2, InterruptProcessingException), pytest.raises(InterruptProcessingException):
        scene.sample(model)
    return [scene.sample(model)]


def block_fails(scene: Scene, node):
    """The last block of the model raises at its first call, then at its second."""
    model = node(scene.model)
    for call in (1, 2):  # at steps that are computed with a cache, too
        with failing(scene, call, Broken), pytest.raises(Broken):
            scene.sample(model)
    return [scene.sample(model)]


@contextmanager
def failing(scene: Scene, call: int, error: type[Exception]):
    """The model's last normalisation but one raises `error` at its `call`-th call."""
    calls = []

    def fail(*_):
        calls.append(None)
        if len(calls) == call:
            raise error

    inner = [m for m in scene.model.model.diffusion_model.modules() if isinstance(m, torch.nn.Linear)][-3]
    hook = inner.register_forward_pre_hook(fail)
    try:
        yield
    finally:
        hook.remove()


ONE = tuple(range(STEPS))
ROWS = (
    Row(
        "cancel at each step",
        "PEERS 2.14",
        "nine cancelled runs, then a whole one",
        cancelled_at_each_step,
        clocks=(*(tuple(range(last + 1)) for last in range(STEPS)), ONE),
        ways=1,
    ),
    Row(
        "cancel inside the model",
        "H20",
        "out of a linear layer; then a whole run",
        cancelled_in_the_model,
        clocks=((0, 1), ONE),
        ways=1,
    ),
    Row(
        "exception in a block",
        "PEERS 2.14",
        "at its first call, at its second; then a whole run",
        block_fails,
        clocks=((0,), (0, 1), ONE),
        ways=1,
    ),
)

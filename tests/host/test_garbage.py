"""What a sampling leaves behind is freed at once, not when the garbage is collected: tensors in a reference cycle are
memory that ComfyUI cannot have meanwhile."""

import gc

import pytest
import torch
from comfy_models import conditioning, ksample
from control import Control

CASES = [
    (None, {}),
    ("ab", {"interval": 3}),
    ("ab", {"interval": 3, "after_guidance": True}),
    ("ab", {"tolerance": 0.1}),
    ("feb", {"attention_interval": 3, "mlp_interval": 3, "fragile_interval": 2}),
]


def tensors():
    return sum(isinstance(each, torch.Tensor) for each in gc.get_objects())


@pytest.mark.filterwarnings("ignore")  # of objects that are only looked at
@pytest.mark.parametrize(("node", "widgets"), CASES)
def test_no_tensor_waits_for_the_garbage_collector(model, request, node, widgets):
    cached = request.getfixturevalue(node)(model, **widgets)[0] if node else model
    control = Control(64, 128, 1)
    added = {"control": control, "control_apply_to_uncond": True}
    positive = [[given, {**more, **added}] for given, more in conditioning(1)]
    with torch.inference_mode():
        ksample(cached, cfg=2.0, size=16, positive=positive)
        gc.collect()
        gc.disable()
        try:
            ksample(cached, cfg=2.0, size=16, positive=positive)
            left = tensors()
            gc.collect()
            assert left - tensors() == 0
        finally:
            gc.enable()

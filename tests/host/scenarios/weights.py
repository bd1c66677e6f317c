"""Weights as users have them: patched, of other number types, on another device between two runs."""

from unittest.mock import patch

import torch
from comfy_models import with_lora
from scenarios.row import Row
from scenarios.scene import Scene

NO_LINEAR = {"U-Net": "not run: AB-Cache sees the output only, of whatever weights"}


def lora_before(scene: Scene, node):
    return [scene.sample(node(with_lora(scene.model)))]


def lora_behind(scene: Scene, node):
    return [scene.sample(with_lora(node(scene.model)))]


def lora_on_and_off(scene: Scene, node):
    """One node in the graph; the LoRA loader behind it is switched on for one run."""
    model = node(scene.model)
    off, on, again = scene.sample(model), scene.sample(with_lora(model)), scene.sample(model)
    assert torch.equal(off, again)
    return [off, on]


def weight_hooks(scene: Scene, node):
    """A LoRA on one conditioning only, as ComfyUI's hooks do: weights are swapped between the calls of a step."""
    import comfy.hooks

    hook = comfy.hooks.WeightHook(1.0, 1.0)
    hook.need_weight_init, hook.weights = False, with_lora(scene.model).patches
    hook.weights = {key: found[0][1] for key, found in hook.weights.items()}
    group = comfy.hooks.HookGroup()
    group.add(hook)
    hooked = [[context, {**facts, "hooks": group}] for context, facts in scene.positive]
    return [scene.sample(node(scene.model), positive=hooked)]


def sampled(scene: Scene, node):
    return [scene.sample(node(scene.model))]


def fetched_at_each_use(scene: Scene, node):
    """With little memory ComfyUI leaves weights, and the patches on them, in host memory, and fetches them layer by
    layer."""
    import comfy.model_management as management
    from comfy.model_patcher import ModelPatcher

    load = ModelPatcher.load

    def partly(self, device_to=None, lowvram_model_memory=0, force_patch_weights=False, full_load=False):
        return load(self, device_to, lowvram_model_memory=1, force_patch_weights=force_patch_weights, full_load=False)

    management.unload_all_models()
    try:
        with patch.object(ModelPatcher, "load", partly):
            samples = scene.sample(node(with_lora(scene.model)))
            assert scene.model.model.model_lowvram
    finally:
        management.unload_all_models()
    return [samples]


def unloaded_between_runs(scene: Scene, node):
    import comfy.model_management as management

    model = node(scene.model)
    first = scene.sample(model)
    management.unload_all_models()
    again = scene.sample(model)
    assert torch.equal(first, again)
    return [first]


def another_model_between(scene: Scene, node):
    """Two clones of one model with different patches, taken in turn: ComfyUI swaps the weights of the module that
    they share."""
    cached, other = node(scene.model), with_lora(scene.model)
    first, between, again = scene.sample(cached), scene.sample(other), scene.sample(cached)
    assert torch.equal(first, again)
    return [first, between]


def shifted(scene: Scene, node):
    """A sampling-shift node before ours: its object patch is not on the model yet when the sampling begins (H9)."""
    from comfy_extras.nodes_model_advanced import ModelSamplingSD3

    patched = getattr(ModelSamplingSD3, "execute", None) or ModelSamplingSD3().patch
    return [scene.sample(node(patched(scene.model, 5.0)[0]))]


ONE = tuple(range(9))
NO_SHIFT = {"U-Net": "the shift is for flow models"}
ROWS = (
    Row("LoRA before the node", "PEERS 2.9", "low-rank patches on every block", lora_before, absent=NO_LINEAR),
    Row("LoRA behind the node", "PEERS 2.9", "the same, the loader last", lora_behind, absent=NO_LINEAR),
    Row(
        "LoRA on for one run",
        "PEERS 2.9",
        "off, on, off: the last run is the first",
        lora_on_and_off,
        clocks=(ONE,) * 3,
        absent=NO_LINEAR,
    ),
    Row(
        "LoRA on one conditioning",
        "HOOKS 5",
        "core's hooks swap weights between the calls of a step",
        weight_hooks,
        absent=NO_LINEAR,
    ),
    Row("fp16 weights", "PEERS 2.9", "cast at each use", sampled, dtype="float16"),
    Row("bf16 weights", "PEERS 2.9", "cast at each use", sampled, dtype="bfloat16"),
    Row(
        "fp8 weights",
        "H3",
        "float8_e4m3fn, cast at each use; single blocks that cannot be sliced step down to their kernel",
        sampled,
        dtype="float8_e4m3fn",
        demoted=True,
    ),
    Row("lowvram", "PEERS 2.11", "weights and a LoRA fetched at each use", fetched_at_each_use, absent=NO_LINEAR),
    Row("unloaded and loaded again", "PEERS 2.11", "between two runs", unloaded_between_runs, clocks=(ONE,) * 2),
    Row(
        "two clones in turn",
        "PEERS 2.13",
        "one with a LoRA and without a cache",
        another_model_between,
        clocks=(ONE,) * 2,
        absent=NO_LINEAR,
    ),
    Row("sampling shift", "H9", "ModelSamplingSD3 before the node", shifted, absent=NO_SHIFT),
)

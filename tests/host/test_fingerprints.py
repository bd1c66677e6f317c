"""Names for weights: whatever changes the picture changes the name, and nothing else does."""

import gc
import weakref

import pytest
import torch
from comfy_models import fill, flux, ksample, unet, with_lora
from torch import nn

DEEP = {"depth": 19, "depth_single_blocks": 38}  # as FLUX has them


@pytest.fixture
def weights(pack):
    return __import__(f"{pack.__name__}.nodes.comfy.weights", fromlist=["weights"])


@pytest.fixture
def name(weights):
    return weights.fingerprint


def matrices(model):
    """Linear weights of the blocks, by the keys that LoRAs have for them."""
    found = model.model.state_dict().items()
    return {key: w for key, w in found if "_blocks." in key and key.endswith(".weight") and w.ndim == 2}


def adapters(model, seed: int = 0):
    from comfy.weight_adapter import LoRAAdapter

    generator, found = torch.Generator().manual_seed(seed), {}
    for key, weight in matrices(model).items():
        up, down = (torch.randn(s, generator=generator) / 8 for s in ((weight.shape[0], 4), (4, weight.shape[1])))
        found[key] = LoRAAdapter(set(), (up, down, 4.0, None, None, None))
    return found


def bypass(model, seed: int, strength: float):
    """What ComfyUI's node for LoRAs that leave the weights alone does."""
    Manager = pytest.importorskip("comfy.weight_adapter.bypass").BypassInjectionManager
    clone, manager = model.clone(), Manager()
    for key, adapter in adapters(model, seed).items():
        manager.add_adapter(key, adapter, strength=strength)
    clone.set_injections("bypass_lora", manager.create_injections(clone.model))
    return clone


def all_apart(*names):
    return len(set(names)) == len(names)


def test_every_matrix_of_every_block_counts(weights, name):
    model, parts = flux(**DEEP), []
    weights._gather(model.model.diffusion_model, "diffusion_model", "", {}, parts)
    assert {path for _, path, *_ in weights._selected(parts)} >= matrices(model).keys()
    assert len(matrices(model)) == 304
    found = [name(model)]
    for key in list(matrices(model))[::23]:
        with torch.no_grad():
            model.model.get_parameter(key).add_(0.5)
        found.append(name(model))
    assert all_apart(*found)


@pytest.mark.parametrize("build", [lambda: flux(**DEEP), unet], ids=["flux", "unet"])
def test_of_a_model_with_too_many_tensors_every_block_of_every_list_is_looked_at(weights, monkeypatch, build):
    monkeypatch.setattr(weights, "MOST", 1)
    root, parts = build().model.diffusion_model, []
    weights._gather(root, "", "", {}, parts)
    looked_at = {path for _, path, value, _ in weights._selected(parts) if value.ndim >= 2}
    blocks = [
        f"{path}.{part}."
        for path, module in root.named_modules()
        if isinstance(module, weights.LISTS)
        for part, block in module.named_children()
        if any(value.ndim >= 2 for value in block.parameters())
    ]
    assert len(looked_at) < sum(value.ndim >= 2 for value in root.parameters())
    assert not [block for block in blocks if not any(f".{path}".startswith(f".{block}") for path in looked_at)]


def test_what_is_added_to_the_weights_is_told_apart(model, name):
    other = flux()
    fill(other.model.diffusion_model, 5)

    def merged(ratio):
        clone = model.clone()
        clone.add_patches(other.get_key_patches("diffusion_model."), 1 - ratio, ratio)
        return clone

    def lora(seed, *strengths):
        clone = model.clone()
        for strength in strengths:
            clone.add_patches(adapters(model, seed), strength)
        return clone

    loras = lora(0, 0.5), lora(0, 0.6), lora(1, 0.5), lora(0, 0.5, 0.5)
    assert all_apart(*map(name, (model, other, merged(0.5), merged(0.4), *loras)))
    assert name(lora(0, 0.5)) == name(lora(0, 0.5))


def test_a_bypass_lora_is_told_apart_and_keeps_its_name_when_it_has_run(name, monkeypatch):
    model = flux(dtype=torch.bfloat16)
    one = bypass(model, 1, 0.5)
    before = name(one)
    assert all_apart(name(model), before, name(bypass(model, 1, 1)), name(bypass(model, 2, 0.5)))
    ksample(one)  # ComfyUI casts the LoRA to the layers' dtype, for good
    assert one.is_injected
    monkeypatch.setattr(one, "eject_model", lambda: pytest.fail("another patcher's injections may be in the model"))
    assert name(one) == before == name(bypass(model, 1, 0.5))


def test_hooks_wrappers_and_further_models_are_told_apart(model, name):
    import comfy.hooks

    found = [name(model)]
    for strength in (0.5, 0.7):
        hooked = model.clone()
        group = comfy.hooks.create_hook_lora({}, 1.0, 1.0)
        hooked.add_hook_patches(group.hooks[0], adapters(model), strength)
        wrapped = model.clone()
        wrapped.add_weight_wrapper("diffusion_model.img_in.weight", lambda weight, factor=strength: weight * factor)
        more = flux()
        fill(more.model.diffusion_model, int(10 * strength))
        accompanied = model.clone()
        accompanied.set_additional_models("motion", [more])
        found += map(name, (hooked, wrapped, accompanied))
        hooked.hook_patches = {}
        assert name(hooked) == found[0]  # a hook that was taken off, as after a run
    assert all_apart(*found)


def test_what_an_injection_of_another_pack_reaches_is_told_apart(model, name):
    from comfy.patcher_extension import PatcherInjection

    class Layer:
        def __init__(self, seed):
            self.motion, self.previous, self.me = nn.Linear(4, 4), None, self  # a cycle
            fill(self.motion, seed)

    def injected(seed, strength):
        layers, clone = [Layer(seed)], model.clone()
        inner = PatcherInjection(inject=lambda patcher: layers * int(strength), eject=lambda patcher: None)
        outer = PatcherInjection(inject=lambda patcher: inner.inject(patcher), eject=lambda patcher: None)
        clone.set_injections(f"key {id(layers)}", [outer])
        return clone

    assert all_apart(*map(name, (model, injected(1, 0.5), injected(2, 0.5), injected(1, 0.7))))
    assert name(injected(1, 0.5)) == name(injected(1, 0.5))


def test_loras_that_a_model_merges_itself_at_its_next_call_are_told_apart(name):
    """As nunchaku's wrapper does: a list of files and strengths."""
    model = flux()
    found = [name(model)]
    for loras in ([("a.safetensors", 1.0)], [("a.safetensors", 0.5)], [("b.safetensors", 0.5)]):
        model.model.diffusion_model.loras = loras
        found.append(name(model))
    assert all_apart(*found)


def test_a_plan_of_another_version_of_the_names_does_not_fit(weights, model, name, monkeypatch):
    now = name(model)
    monkeypatch.setattr(weights, "VERSION", "weights 1")
    assert name(model) != now


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.compile itself
def test_a_replaced_module_is_told_apart_wherever_it_is_just_now(name):
    model = flux()
    replaced, compiled, plain = model.clone(), model.clone(), name(model)
    part = nn.Linear(64, 128)
    fill(part, 7)
    replaced.add_object_patch("diffusion_model.img_in", part)
    block = model.model.diffusion_model.single_blocks[0]
    compiled.add_object_patch("diffusion_model.single_blocks.0", torch.compile(block))
    other = name(replaced)
    assert name(compiled) == plain != other
    replaced.patch_model()
    assert (name(model), name(replaced)) == (plain, other)
    replaced.unpatch_model()
    compiled.patch_model()
    assert (name(model), name(compiled), name(replaced)) == (plain, plain, other)
    compiled.unpatch_model()


def test_a_name_stays_whatever_is_in_the_weights_just_now(weights, name):
    model = flux()
    patched = with_lora(model)
    names = name(model), name(patched)
    for inplace in (False, True):
        patched.weight_inplace_update = inplace
        patched.patch_model()
        weights._of_modules.clear()
        assert (name(model), name(patched)) == names
        patched.unpatch_model()
    weights._of_modules.clear()
    assert (name(model), name(patched)) == names


def test_weights_that_are_cast_when_they_are_used_have_the_name_of_cast_ones(name):
    """Dynamic VRAM keeps a file's own dtype in memory."""
    cast, kept = flux(dtype=torch.bfloat16), flux(dtype=torch.float32)
    for module in kept.model.diffusion_model.modules():
        for part in ("weight", "bias", "scale"):
            setattr(module, f"{part}_comfy_model_dtype", torch.bfloat16)
    assert name(kept) == name(cast) != name(flux(dtype=torch.float32))


def test_a_model_is_looked_at_once(weights, name, monkeypatch):
    model, looks = flux(), []
    tensor = weights.Digest.tensor
    monkeypatch.setattr(weights.Digest, "tensor", lambda self, *given: looks.append(given) or tensor(self, *given))
    first, count = name(model), len(looks)
    assert count == len(list(model.model.diffusion_model.parameters()))
    assert name(model.clone()) == first
    assert len(looks) == count
    patched = with_lora(model)
    assert name(patched) == name(patched.clone()) != first
    assert len(looks) == count + 2 * len(matrices(model))
    with torch.no_grad():
        model.model.diffusion_model.img_in.weight.mul_(2)
    assert name(model) != first


def test_what_is_remembered_keeps_no_model(name):
    model = flux()
    name(with_lora(model))
    gone = weakref.ref(model.model)
    del model
    gc.collect()
    assert gone() is None


LAYOUTS = ("TensorCoreFP8Layout", "TensorWiseINT8Layout", "TensorCoreNVFP4Layout", "TensorCoreMXFP8Layout")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_quantised_tensor_is_told_apart_by_its_packed_data(weights, monkeypatch, layout):
    Quantised = pytest.importorskip("comfy_kitchen.tensor").QuantizedTensor
    values = torch.randn((256, 256), generator=torch.Generator().manual_seed(0)).bfloat16()
    a, twice, b = (Quantised.from_float(v, layout) for v in (values, values * 2, values.roll(1)))
    monkeypatch.setattr(Quantised, "dequantize", lambda self: pytest.fail("dequantised"))
    monkeypatch.setattr(Quantised, "_dequant_and_fallback", lambda *_: pytest.fail("dequantised"))
    marks = set(vars(a))
    assert all_apart(*(weights.digest(nn.Parameter(t, requires_grad=False)) for t in (a, twice, b)))
    assert weights.digest(a) == weights.digest(a)
    assert set(vars(a)) == marks

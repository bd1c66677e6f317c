"""Weights as users have them: patched, quantised, packed, not all on the device. And models that are no
transformers."""

import pytest
import torch
from comfy_models import MIXED, NEVER, flux, ksample, unet, with_lora

WAYS = {"merged": {"preset": "auto", "memory": 1.0}, "every site": {**MIXED, "stage_boundary": 0.6, "memory": 1.0}}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


def apart(a, b):
    return float((a - b).norm() / b.norm())


def test_a_lora_before_the_node_is_a_lora_after_it(model, feb, ab, way):
    plain, patched = ksample(model), ksample(with_lora(model))
    assert apart(patched, plain) > 0.1
    assert torch.equal(ksample(feb(with_lora(model), **NEVER)[0]), patched)
    for apply, widgets in ((feb, way), (ab, {})):
        before, after = apply(with_lora(model), **widgets)[0], with_lora(apply(model, **widgets)[0])
        assert torch.equal(ksample(before), ksample(after))
    assert torch.equal(ksample(model), plain)


def test_a_cached_run_forgets_a_lora_that_was_taken_off(model, feb, way):
    alone = ksample(feb(model, **way)[0])
    ksample(with_lora(feb(model, **way)[0]))
    assert torch.equal(ksample(feb(model, **way)[0]), alone)


def limit_loading(monkeypatch):
    """Let nothing fit the device, so that every layer's weights, and the patches on them, are fetched at each use."""
    from comfy.model_patcher import ModelPatcher

    load = ModelPatcher.load

    def partly(self, device_to=None, lowvram_model_memory=0, force_patch_weights=False, full_load=False):
        return load(self, device_to, lowvram_model_memory=1, force_patch_weights=force_patch_weights, full_load=False)

    monkeypatch.setattr(ModelPatcher, "load", partly)


def test_weights_fetched_at_each_use_give_the_same(monkeypatch, feb, ab, way):
    """With a LoRA, which is then added at each use too: sites that slice weights have to see it."""
    whole = flux()
    expected = ksample(feb(with_lora(whole), **way)[0])
    limit_loading(monkeypatch)
    model = flux()
    patched = with_lora(model)
    plain = ksample(patched)
    assert model.model.model_lowvram
    assert torch.equal(ksample(feb(patched, **NEVER)[0]), plain)
    assert torch.equal(ksample(ab(patched, interval=1)[0]), plain)
    cached, mailbox = feb(patched, **way)
    assert apart(ksample(cached), expected) <= 1e-5
    assert mailbox.latest.demotions == ()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_small_weights_are_cast_at_each_use(feb, ab, way, dtype):
    model = flux(dtype=dtype)
    plain = ksample(model, steps=24)
    assert torch.equal(ksample(feb(model, **NEVER)[0], steps=24), plain)
    assert torch.equal(ksample(ab(model, interval=1)[0], steps=24), plain)
    cached, mailbox = feb(model, **way)
    assert apart(ksample(cached, steps=24), plain) < 0.5
    sliced = dtype == torch.bfloat16 or way.get("preset") == "auto"
    assert bool(mailbox.latest.demotions) is not sliced


def test_what_a_mount_is_lent_is_given_back_after_its_use(monkeypatch, pack, feb):
    """ComfyUI fetches the next weights into the same memory, and cannot free pages that nobody gave back."""
    import comfy.ops

    if not hasattr(comfy.ops, "uncast_bias_weight"):
        pytest.skip("this ComfyUI fetches a copy for each use")
    out, lent, sites = [], [], __import__(f"{pack.__name__}.nodes.comfy.inside", fromlist=["inside"])
    cast, uncast, full = comfy.ops.cast_bias_weight, comfy.ops.uncast_bias_weight, sites.full_weights

    def counted_cast(layer, *args, **kwargs):
        assert kwargs.get("offloadable")
        out.append(layer)
        return cast(layer, *args, **kwargs)

    def counted_uncast(layer, weight, *args):
        assert weight is None or out.pop() is layer  # None: a norm without weights
        return uncast(layer, weight, *args)

    monkeypatch.setattr(comfy.ops, "cast_bias_weight", counted_cast)
    monkeypatch.setattr(comfy.ops, "uncast_bias_weight", counted_uncast)
    monkeypatch.setattr(sites, "full_weights", lambda layer, x: lent.append(layer) or full(layer, x))
    limit_loading(monkeypatch)
    assert ksample(feb(with_lora(flux()), **WAYS["every site"])[0]).isfinite().all()
    assert lent
    assert not out


def test_pages_of_dynamic_vram_that_a_mount_faults_in_are_unpinned(monkeypatch, pack):
    vbar = pytest.importorskip("comfy_aimdo.model_vbar")
    import comfy.ops

    if not hasattr(comfy.ops, "cast_modules_with_vbar"):
        pytest.skip("this ComfyUI has no dynamic VRAM")
    pinned = []
    monkeypatch.setattr(vbar, "vbar_fault", lambda v: pinned.append(v) or "signature")
    monkeypatch.setattr(vbar, "vbar_signature_compare", lambda a, b: True)
    monkeypatch.setattr(vbar, "vbar_unpin", lambda v: pinned.remove(v))
    layer = comfy.ops.manual_cast.Linear(8, 8, dtype=torch.float32)
    layer._v, layer._v_signature = object(), "signature"
    layer._v_weight, layer._v_bias = layer.weight.detach().to("meta"), layer.bias.detach().to("meta")  # as on a device
    full_weights = __import__(f"{pack.__name__}.nodes.comfy.weights", fromlist=["weights"]).full_weights
    with full_weights(layer, torch.zeros(1, 8, device="meta")) as (weight, _):
        assert weight is layer._v_weight
        assert pinned == [layer._v]
    assert not pinned
    full_weights(layer, torch.zeros(1, 8, device="meta"))  # nobody enters, as where something fails on the way
    assert not pinned


class Packed(torch.nn.Linear):
    """A layer as GGUF loaders make them: four-bit codes in blocks, unpacked at each use, with no weight to slice."""

    def __init__(self, linear):
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None, device="meta")
        blocks = linear.weight.detach().unflatten(1, (-1, 32))
        scale = blocks.abs().amax(-1, keepdim=True) / 7
        codes = (blocks / scale).round().to(torch.int8)
        self.bias = linear.bias
        del self.weight
        self.register_buffer("scale", scale)
        packed = (codes[..., ::2] & 15) | (codes[..., 1::2] << 4)
        self.register_buffer("weight", packed)  # the shape is not the matrix's

    def forward(self, x):
        low, high = (self.weight << 4) >> 4, self.weight >> 4
        weight = (torch.stack((low, high), -1).flatten(2) * self.scale).flatten(1)
        return torch.nn.functional.linear(x, weight.to(x.dtype), self.bias)


def pack(model):
    for name, module in list(model.model.diffusion_model.named_modules()):
        if isinstance(module, torch.nn.Linear) and "_blocks." in name and module.in_features % 32 == 0:
            parent, _, leaf = name.rpartition(".")
            model.model.diffusion_model.get_submodule(parent).register_module(leaf, Packed(module))
    return model


def test_packed_weights_fall_back_to_the_attention_kernel(feb, ab, way):
    model = pack(flux())
    plain = ksample(model, steps=24)
    assert 1e-3 < apart(plain, ksample(flux(), steps=24)) < 1
    assert torch.equal(ksample(feb(model, **NEVER)[0], steps=24), plain)
    cached, mailbox = feb(model, **way)
    assert apart(ksample(cached, steps=24), plain) < 0.5
    demotions = mailbox.latest.demotions
    if way.get("preset") == "auto":
        assert demotions == ()
    else:
        assert all("only the attention kernel is" in said and "SingleStreamBlock" in said for said in demotions)
        assert demotions
    assert ksample(ab(model)[0]).isfinite().all()


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_a_row_of_a_batch_is_what_it_is_alone(model, feb, ab, way, cfg):
    """Each picture is predicted from its own history: rows of a batch must not mix."""
    for apply, widgets in ((feb, way), (ab, {})):
        cached = apply(model, **widgets)[0]
        batch = ksample(cached, batch=3, cfg=cfg)
        assert apart(batch[:1], ksample(cached, batch=3, cfg=cfg)[:1]) == 0
        noise = torch.randn((3, 16, 8, 8), generator=torch.Generator().manual_seed(1))
        alone = ksample(cached, cfg=cfg, noise=noise[1:2])
        assert apart(batch[1:2], alone) <= 1e-5


def test_perturbed_attention_guidance_is_a_stream_of_its_own(ab):
    from comfy_extras.nodes_pag import PerturbedAttentionGuidance

    later = getattr(PerturbedAttentionGuidance, "execute", None)  # than 0.3.64
    node = later or PerturbedAttentionGuidance().patch
    guided = node(unet(), 3.0)[0]
    how = {"channels": 4, "cfg": 3.0, "steps": 20}
    plain = ksample(guided, **how)
    assert torch.equal(ksample(ab(guided, interval=1)[0], **how), plain)
    cached, mailbox = ab(guided)
    # the extra call was not mistaken for the prompt's
    assert apart(ksample(cached, **how), plain) < apart(ksample(ab(unet())[0], **how), plain)
    assert mailbox.latest.restarts == 0


@pytest.mark.parametrize(
    ("gigabytes", "said"),
    [
        (0.0005, "8 bits"),
        (0.0001, "only steps that predict attention and mlp together, 8 bits"),
        (0.00001, "are computed"),
    ],
)
def test_little_memory_finishes_the_picture_and_says_what_was_done(model, feb, gigabytes, said):
    cached, mailbox = feb(model, **(WAYS["every site"] | {"memory": gigabytes}))
    assert ksample(cached, steps=24, size=32).isfinite().all()
    assert mailbox.latest.peak_bytes <= gigabytes * 2**30
    assert said in " ".join((*mailbox.latest.notes, *mailbox.latest.demotions))

"""What the nodes refuse, with the reason, and what they fall back to."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from comfy_models import MIXED, flux, ksample


def test_the_same_node_twice_is_refused(model, feb, ab):
    for apply in (feb, ab):
        with pytest.raises(ValueError, match="same sites"):
            apply(apply(model)[0])


def test_tolerance_beside_feb_cache_is_refused(model, feb, ab):
    with pytest.raises(ValueError, match="tolerance"):
        ab(feb(model)[0], tolerance=0.1)


def test_few_steps_run_uncached_and_say_so(model, feb):
    cached, mailbox = feb(model)
    assert torch.equal(ksample(cached, steps=4), ksample(model, steps=4))
    assert any("running uncached" in note for note in mailbox.latest.notes)


def test_half_precision_weights_are_sliced_after_their_cast(feb):
    half = flux(dtype=torch.float16)
    cached, mailbox = feb(half, **MIXED, stage_boundary=0.6)
    samples = ksample(cached, steps=20)
    assert samples.isfinite().all()
    assert mailbox.latest.demotions == ()


def test_weights_that_cannot_be_sliced_fall_back_to_the_attention_kernel(pack, model, feb, monkeypatch):
    monkeypatch.setattr(f"{pack.__name__}.nodes.comfy.weights.PLAIN", ())
    cached, mailbox = feb(model, **MIXED)
    samples = ksample(cached, steps=20)
    assert any("only the attention kernel is" in line for line in mailbox.latest.demotions)
    assert samples.isfinite().all()


MODULES = {  # folder of a pack and module, as ComfyUI names what it loads
    "comfy_extras/nodes_easycache": "EasyCache",
    "ComfyUI-CacheDiT.nodes": "CacheDiT",
    "comfyui-cache-dit.cache_engine": "CacheDiT",
    "ComfyUI-Spectrum-MiniMax-H3.comfyui_spectrum_h3.sampling": "Spectrum",
    "Comfyui-Spectrum-Qwen2_x_1.nodes": "Spectrum",
    "TE-Speed-MiniMaxH3-OSS.nodes": "TE-Speed",
    "NB-H3-HyperStep.nodes": "HyperStep",
    "h3_fb_cache": "First Block Cache",
    "ComfyUI-MiniMaxH3-FirstBlockCache.nodes": "First Block Cache",
    "ComfyUI-MiniMaxH3-Cache.nodes": "MiniMax H3 Cache",
    "Comfyui-Qwen-Image-2_x_1-BlockCache-T8.runtime": "First Block Cache",
    "ComfyUI-TaylorSeer.nodes": "TaylorSeer",
    "ComfyUI-MiniMaxH3-AdaptiveCache.nodes": "Adaptive Cache",
    "ComfyUI-MiniMaxH3-AdaptiveStageCache.nodes": "Adaptive Cache",
    "ComfyUI-HiCache.hicache_patch": "HiCache",
    "comfyui-meancache-z.patch.model_patch": "MeanCache",
    "ComfyUI-MagCache.nodes": "MagCache",
    "AnimaTeaCache.patches": "TeaCache",
    "ComfyUI-TeaCache.nodes": "TeaCache",
    "Comfy-WaveSpeed.fbcache_nodes": "WaveSpeed",
    "ComfyUI-FSampler.sampling.engine": "FSampler",
    "ComfyUI-deepcache": "DeepCache",
}

KEYS = {
    "easycache": "EasyCache",
    "rel_l1_thresh": "TeaCache",
    "magcache_thresh": "MagCache",
    **dict.fromkeys(("cache_dit_turbo", "wan_cache", "ltx2_cache"), "CacheDiT"),
    **dict.fromkeys(("spectrum", "spectrum_runtime"), "Spectrum"),
    "minimax_h3_block_cache_t8": "First Block Cache",
}

WRAPPER_KEYS = {
    "easycache": "EasyCache",
    "lazycache": "LazyCache",
    "anima_teacache": "TeaCache",
    "spectrum_minimax_h3": "Spectrum",
    "spectrum_ltx": "Spectrum",
    "minimax_h3_first_block_cache_140": "First Block Cache",
    "cache_dit_turbo": "CacheDiT",
    "minimax_h3_adaptive_stage_cache_3": "Adaptive Cache",
}

HARMLESS = [
    *("comfy_extras/nodes_flux.FluxKVCache", "comfy_extras/nodes_qwen.QwenImage21Cache", "kv_cache.nodes"),
    *("comfy.ldm.wan.model_animate2.WanAnimate2Cache", "spectrumview.nodes", "SpectrumView.nodes"),
    *("lite-speed.nodes", "ComfyUI-MiniMaxH3-CLIPCached.nodes", "ComfyUI-KJNodes.nodes.model_optimization_nodes"),
]


def function_of(module):
    """A function of another pack, in a folder whose name says nothing."""

    def wrapper(executor, *args, **kwargs):
        return executor(*args, **kwargs)

    wrapper.__module__ = f"/teacache/custom_nodes/{module}"
    return wrapper


def chained(function):
    """What packs do that find a wrapper and keep it."""

    def around(*args):
        return function(*args)

    return around


def in_options(model, function):
    from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

    add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "its", function, model.model_options, is_model_options=True)


def injected(model, function):
    from comfy.patcher_extension import PatcherInjection

    model.set_injections("its", [PatcherInjection(inject=lambda patcher: None, eject=function)])


class Called:
    """A patch that is an object."""

    def __init__(self, function):
        type(self).__module__ = function.__module__

    def __call__(self, args, extra):
        return extra["original_block"](args)


PLACES = {
    "wrapper": lambda model, function: model.add_wrapper("diffusion_model", function),
    "callback": lambda model, function: model.add_callback("on_pre_run", function),
    "wrapper in the options": in_options,
    "injection": injected,
    "patch": lambda model, function: model.set_model_patch(function, "double_block"),
    "replaced block": lambda model, function: model.set_model_patch_replace(Called(function), "dit", "block", 0),
    "object patch": lambda model, function: model.add_object_patch("diffusion_model.norm.forward", partial(function)),
    "around the model": lambda model, function: model.set_model_unet_function_wrapper(chained(function)),
    "after guidance": lambda model, function: model.set_model_sampler_post_cfg_function(function),
}


@pytest.fixture
def nobody(model):
    return model.clone()


@pytest.mark.parametrize(("module", "name"), MODULES.items())
def test_another_cache_is_refused_by_the_name_of_its_module(nobody, ab, module, name):
    PLACES["wrapper"](nobody, function_of(module))
    with pytest.raises(ValueError, match=f"^{name}.* is on this model"):
        ab(nobody)


@pytest.mark.parametrize("place", PLACES)
def test_another_cache_is_refused_wherever_it_sits_and_in_front_or_behind(model, nobody, feb, place):
    behind = feb(model)[0]
    for taken in (nobody, behind):
        PLACES[place](taken, function_of("ComfyUI-CacheDiT.nodes"))
    with pytest.raises(ValueError, match="CacheDiT"):
        feb(nobody)
    with pytest.raises(ValueError, match="CacheDiT"):
        ksample(behind)


@pytest.mark.parametrize(("key", "name"), KEYS.items())
def test_another_cache_is_refused_by_what_it_leaves_in_the_options(nobody, feb, key, name):
    nobody.model_options["transformer_options"][key] = 0.1
    with pytest.raises(ValueError, match=name):
        feb(nobody)


@pytest.mark.parametrize(("key", "name"), WRAPPER_KEYS.items())
def test_another_cache_is_refused_by_the_key_of_its_wrapper(nobody, ab, key, name):
    nobody.add_wrapper_with_key("outer_sample", key, function_of("renamed"))
    with pytest.raises(ValueError, match=name):
        ab(nobody)


@pytest.mark.parametrize("module", HARMLESS)
def test_what_only_sounds_like_a_cache_is_let_through(nobody, feb, ab, module):
    for place in PLACES.values():
        place(nobody, function_of(module))
    told = nobody.model_options["transformer_options"]
    told["spectrum_h3_external_patch_contracts"] = {}  # by a pack that gets on with Spectrum, there or not
    assert feb(ab(nobody)[0])


@pytest.mark.parametrize("of", ["model", "block", "class"])
def test_a_forward_that_another_cache_left_in_the_model_is_refused(ab, monkeypatch, of):
    own = flux()
    inner = own.model.diffusion_model
    target = {"model": inner, "block": inner.single_blocks[1], "class": type(inner.double_blocks[0])}[of]
    monkeypatch.setattr(target, "forward", function_of("h3_fb_cache"))
    with pytest.raises(ValueError, match="First Block Cache has put its own forward into.*restart"):
        ab(own)


def test_a_sampler_that_skips_evaluations_itself_is_refused(model, ab, monkeypatch):
    import comfy.samplers

    ours, its = ab(model)[0], comfy.samplers.KSAMPLER(function_of("ComfyUI-FSampler.sampling.engine"))
    monkeypatch.setattr(comfy.samplers, "sampler_object", lambda name: its)
    with pytest.raises(ValueError, match="FSampler"):
        ksample(ours)


def test_feb_cache_on_a_model_without_blocks_names_ab_cache(feb, ab, model):
    bare = model.clone()
    bare.add_object_patch("diffusion_model", torch.nn.Linear(2, 2))
    with pytest.raises(TypeError, match="Linear.*AB-Cache Apply"):
        feb(bare)


def test_no_comfyui_module_is_imported_when_the_pack_loads():
    root = Path(__file__).resolve().parents[2]
    code = (
        "import importlib.util as u, sys; s = u.spec_from_file_location('p', r'%s', "
        "submodule_search_locations=[r'%s']); "
        "m = u.module_from_spec(s); sys.modules['p'] = m; s.loader.exec_module(m); assert m.NODE_CLASS_MAPPINGS; "
        "print([n for n in sys.modules if n.split('.')[0] in ('comfy', 'folder_paths', 'server', 'execution')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code % (root / "__init__.py", root)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_an_object_that_makes_others_without_end_is_looked_at_and_left(ab):
    """As a mock does, or a proxy of another process."""

    class Endless:
        def __getattr__(self, name):
            return Endless() if not name.startswith("__") else object.__getattribute__(self, name)

        def __call__(self, *args, **kwargs):
            return args[0] if args else None

    model = flux()
    model.set_model_attn1_patch(Endless())
    assert ab(model)

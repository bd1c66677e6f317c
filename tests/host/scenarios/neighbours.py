"""Other nodes on the same model: kernels, patches, wrappers, and other caches."""

import torch
from scenarios.row import Row
from scenarios.scene import Scene

CACHES = {"EasyCache": (0.2, 0.15, 0.95, False), "LazyCache": (0.2, 0.15, 0.95, False)}


def cache_before(name: str):
    def play(scene: Scene, node):
        return [scene.sample(node(with_core_cache(name, scene.model)))]

    return play


def cache_behind(name: str):
    def play(scene: Scene, node):
        return [scene.sample(with_core_cache(name, node(scene.model)))]

    return play


def with_core_cache(name: str, model):
    """Core's own cache node on the model, at a threshold that it never reaches."""
    from comfy_extras import nodes_easycache

    return getattr(nodes_easycache, f"{name}Node").execute(model, 0.0, *CACHES[name][1:])[0]


def override(kernel, *args, **kwargs):
    """What sage-attention nodes set: a kernel of their own, here in half steps so that it is told from the model's."""
    return 0.5 * kernel(*args, **kwargs)


def with_override(model):
    clone = model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = override
    return clone


def override_before(scene: Scene, node):
    return [scene.sample(node(with_override(scene.model)))]


def override_behind(scene: Scene, node):
    return [scene.sample(with_override(node(scene.model)))]


def function_wrapper(scene: Scene, node):
    """As tiled diffusion does: the model is called twice for one call, with the same uuids."""

    def wrapper(apply_model, given):
        out = apply_model(given["input"], given["timestep"], **given["c"])
        return 0.5 * (out + apply_model(given["input"].flip(-1), given["timestep"], **given["c"]).flip(-1))

    model = scene.model.clone()
    model.set_model_unet_function_wrapper(wrapper)
    return [scene.sample(node(model))]


def post_cfg(scene: Scene, node):
    """A function after guidance that calls the model again, as SAG does."""

    def again(given):
        from comfy.samplers import calc_cond_batch

        (other,) = calc_cond_batch(
            given["model"], [given["cond"]], given["input"], given["sigma"], given["model_options"]
        )
        return given["denoised"] + 0.1 * (other - given["denoised"])

    model = scene.model.clone()
    model.set_model_sampler_post_cfg_function(again)
    return [scene.sample(node(model))]


def cfg_function(scene: Scene, node):
    """RescaleCFG: a guidance of its own, from the conditionings' outputs."""
    from comfy_extras.nodes_model_advanced import RescaleCFG

    patched = getattr(RescaleCFG, "execute", None) or RescaleCFG().patch
    return [scene.sample(node(patched(scene.model, 0.7)[0]))]


def block_replaced(scene: Scene, node):
    """Another pack replaces a block's call, as patches_replace allows."""

    def replace(args, extra):
        out = extra["original_block"](args)
        return {name: 1.01 * value if isinstance(value, torch.Tensor) else value for name, value in out.items()}

    model = scene.model.clone()
    for kind in ("double_block", "single_block"):
        model.set_model_patch_replace(replace, "dit", kind, 1)
    return [scene.sample(node(model))]


def other_node(scene: Scene, node):
    """Both nodes on one model: each kind of value is predicted by its own plan."""
    from scenarios.row import NODES

    second = node.other(NODES) if hasattr(node, "other") else node
    return [scene.sample(second(node(scene.model)))]


def denoise_twice(scene: Scene, node):
    """A wrapper of another pack around the diffusion model, which counts its calls and lets them pass."""
    from comfy.patcher_extension import WrappersMP

    calls, model = [], scene.model.clone()

    def wrapper(executor, *args, **kwargs):
        calls.append(None)
        return executor(*args, **kwargs)

    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "other", wrapper)
    model.add_wrapper_with_key(
        WrappersMP.OUTER_SAMPLE, "other", lambda executor, *args, **kwargs: executor(*args, **kwargs)
    )
    samples = scene.sample(node(model))
    return [samples]


PASSES_ON = {"U-Net": "it has no such lists of blocks"}
ROWS = (
    *(
        Row(
            f"{name} before the node",
            "PEERS 4.18",
            "another cache on the model is refused by name",
            cache_before(name),
            refused=name,
        )
        for name in CACHES
    ),
    *(
        Row(
            f"{name} behind the node",
            "PEERS 4.18",
            "the same, when the sampling begins",
            cache_behind(name),
            refused=name,
        )
        for name in CACHES
    ),
    Row("attention override before the node", "H16", "a sage-style kernel of another pack", override_before),
    Row("attention override behind the node", "H16", "the same, set last", override_behind),
    Row("model function wrapper", "PEERS 4.18", "another pack's, that calls the model twice", function_wrapper),
    Row("post-CFG call of the model", "H5", "as self-attention guidance does", post_cfg),
    Row("RescaleCFG", "HOOKS 4", "a guidance function of its own", cfg_function),
    Row(
        "replaced blocks",
        "HOOKS 1.3",
        "patches_replace on the second block of each kind",
        block_replaced,
        absent=PASSES_ON,
    ),
    Row("wrapped diffusion model", "HOOKS 4", "another pack's keyed wrappers", denoise_twice),
)

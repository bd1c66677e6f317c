"""A real ComfyUI in this process, on the CPU, and tiny models of its own classes."""

import os
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import torch

COMFYUI = Path(os.environ.get("COMFYUI_DIR") or Path.home() / "comfy-lab" / "ComfyUI")


FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 32,
    "context_in_dim": 64,
    "hidden_size": 128,
    "mlp_ratio": 4.0,
    "num_heads": 1,
    "depth": 2,
    "depth_single_blocks": 3,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}

UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1],
    "num_heads": 2,
    "context_dim": 64,
    "use_spatial_transformer": True,
    "use_temporal_attention": False,
    "legacy": False,
    "adm_in_channels": None,
}

NEVER = {"attention_interval": 1, "mlp_interval": 1, "fragile_interval": 1}
MIXED = {"attention_interval": 3, "mlp_interval": 3, "fragile_interval": 2}  # all four states


def import_comfyui() -> str:
    """Empty, or why ComfyUI cannot be imported."""
    if not (COMFYUI / "comfy" / "samplers.py").is_file():
        return f"no ComfyUI at {COMFYUI} (set COMFYUI_DIR)"
    sys.path.insert(0, str(COMFYUI))
    # parsed when comfy.cli_args is imported
    argv, sys.argv = sys.argv, ["main.py", "--cpu", "--use-pytorch-cross-attention"]
    try:
        import comfy.options

        comfy.options.enable_args_parsing()
        import comfy.model_patcher
        import comfy.samplers
        import comfy.supported_models  # noqa: F401
    except ImportError as reason:
        return f"ComfyUI at {COMFYUI} cannot be imported: {reason}"
    finally:
        sys.argv = argv
    return ""


def fill(module: torch.nn.Module, seed: int = 0) -> None:
    """Seeded weights of a sensible size: ComfyUI leaves them uninitialised."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in module.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith("bias"):
                p.copy_(0.02 * noise)
            elif p.ndim < 2:
                p.copy_(1 + 0.02 * noise)
            else:
                p.copy_(noise / p[0].numel() ** 0.5 * (0.6 if "mod" in name else 1.0))


def patcher(base):
    import comfy.model_management as management
    from comfy.model_patcher import ModelPatcher

    return ModelPatcher(
        base, load_device=management.get_torch_device(), offload_device=management.unet_offload_device()
    )


def comfy_model(kind: str, config: dict, module: str, params: str, dtype=torch.float32):
    """A model of ComfyUI's class `kind`, as its loader would return it. Settings that this version does not know are
    left out."""
    known = {f.name for f in fields(getattr(import_module(module), params))} | {"image_model"}
    return comfy_model_from(kind, {key: value for key, value in config.items() if key in known}, dtype)


def comfy_model_from(kind: str, config: dict, dtype=torch.float32, weights=dict, change=None):
    """A model of ComfyUI's class `kind` with just this configuration. `weights`: makes those that its constructor asks
    for. `change`: of the diffusion model, before it is filled."""
    import comfy.supported_models

    supported = getattr(comfy.supported_models, kind)(config)
    supported.set_inference_dtype(dtype, None if dtype == torch.float32 else torch.float32)
    base = supported.get_model(weights(), "", device=torch.device("cpu"))
    if change:
        change(base.diffusion_model)
    fill(base.diffusion_model)
    return patcher(base.eval())


def flux(kind: str = "Flux", dtype=torch.float32, **sizes):
    """A tiny FLUX of ComfyUI's own class."""
    return comfy_model(kind, FLUX | sizes, "comfy.ldm.flux.model", "FluxParams", dtype)


def unet(dtype=torch.float32):
    """A tiny Stable Diffusion 1.5 of ComfyUI's own class."""
    return comfy_model_from("SD15", UNET, dtype)


def with_lora(model, seed: int = 3):
    """What the LoRA loader node does: a clone with patches of low rank on every linear layer of the blocks."""
    from comfy.weight_adapter import LoRAAdapter

    generator, patches = torch.Generator().manual_seed(seed), {}
    for key, weight in model.model.state_dict().items():
        if "blocks." in key and key.endswith(".weight") and weight.ndim == 2:
            shapes = ((weight.shape[0], 4), (4, weight.shape[1]))
            up, down = (torch.randn(shape, generator=generator) / 8 for shape in shapes)
            patches[key] = LoRAAdapter(set(), (up, down, 4.0, None, None, None))
    clone = model.clone()
    assert clone.add_patches(patches, 0.5)
    return clone


def conditioning(seed: int, tokens: int = 8, width: int = 64, vector: int = 32) -> list:
    generator = torch.Generator().manual_seed(seed)
    return [
        [
            torch.randn(1, tokens, width, generator=generator),
            {"pooled_output": torch.randn(1, vector, generator=generator), "guidance": 3.5},
        ]
    ]


def ksample(
    model,
    steps: int = 12,
    cfg: float = 1.0,
    sampler: str = "euler",
    seed: int = 1,
    batch: int = 1,
    positive=None,
    negative=None,
    denoise: float = 1.0,
    callback=None,
    size: int = 8,
    channels: int = 16,
    latent=None,
    noise=None,
) -> torch.Tensor:
    """What the KSampler node does."""
    import comfy.samplers

    shape = (batch, channels, size, size)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) if noise is None else noise
    latent = torch.zeros_like(noise) if latent is None else latent
    worker = comfy.samplers.KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler=sampler,
        scheduler="simple",
        denoise=denoise,
        model_options=model.model_options,
    )
    return worker.sample(
        noise,
        positive or conditioning(1),
        negative or conditioning(2),
        cfg=cfg,
        latent_image=latent,
        disable_pbar=True,
        callback=callback,
        seed=seed,
    )


def applying(pack, node: str):
    """The node as a function of a model and its moved widgets; the others show their defaults. It returns the model and
    the mailbox, and the second model where there is one."""
    kind = pack.NODE_CLASS_MAPPINGS[node]
    defaults = {
        name: spec[1]["default"]
        for group in kind.INPUT_TYPES().values()
        for name, spec in group.items()
        if "default" in spec[1]
    }
    defaults |= {name: False for name in defaults if name == "learn"}  # or the first run of each test would be a lesson

    def apply(model, preset: str = "custom", **widgets):
        made = kind().apply(model, **{**defaults, "preset": preset, **widgets})
        return made if "model_2" in widgets else made[:2]

    return apply

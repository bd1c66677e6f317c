"""What the nodes of the example workflows look like: ComfyUI's own, as test_workflows.py checks, and this pack's, by
their classes."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from canvas import Kind

ROOT = Path(__file__).resolve().parent.parent
WIDGET_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN")

CORE = {
    "UNETLoader": Kind({}, {"MODEL": "MODEL"}, ("unet_name", "weight_dtype")),
    "DualCLIPLoader": Kind({}, {"CLIP": "CLIP"}, ("clip_name1", "clip_name2", "type", "device")),
    "VAELoader": Kind({}, {"VAE": "VAE"}, ("vae_name",)),
    "CLIPTextEncode": Kind({"clip": "CLIP"}, {"CONDITIONING": "CONDITIONING"}, ("text",)),
    "FluxGuidance": Kind({"conditioning": "CONDITIONING"}, {"CONDITIONING": "CONDITIONING"}, ("guidance",)),
    "ConditioningZeroOut": Kind({"conditioning": "CONDITIONING"}, {"CONDITIONING": "CONDITIONING"}),
    "EmptySD3LatentImage": Kind({}, {"LATENT": "LATENT"}, ("width", "height", "batch_size")),
    "EmptyHunyuanLatentVideo": Kind({}, {"LATENT": "LATENT"}, ("width", "height", "length", "batch_size")),
    "ModelSamplingSD3": Kind({"model": "MODEL"}, {"MODEL": "MODEL"}, ("shift",)),
    "KSampler": Kind(
        {"model": "MODEL", "positive": "CONDITIONING", "negative": "CONDITIONING", "latent_image": "LATENT"},
        {"LATENT": "LATENT"},
        ("seed", "control", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    ),
    "RandomNoise": Kind({}, {"NOISE": "NOISE"}, ("noise_seed", "control")),
    "BasicGuider": Kind({"model": "MODEL", "conditioning": "CONDITIONING"}, {"GUIDER": "GUIDER"}),
    "KSamplerSelect": Kind({}, {"SAMPLER": "SAMPLER"}, ("sampler_name",)),
    "BasicScheduler": Kind({"model": "MODEL"}, {"SIGMAS": "SIGMAS"}, ("scheduler", "steps", "denoise")),
    "SamplerCustomAdvanced": Kind(
        {"noise": "NOISE", "guider": "GUIDER", "sampler": "SAMPLER", "sigmas": "SIGMAS", "latent_image": "LATENT"},
        {"output": "LATENT", "denoised_output": "LATENT"},
    ),
    "LoraLoaderModelOnly": Kind({"model": "MODEL"}, {"MODEL": "MODEL"}, ("lora_name", "strength_model")),
    "ControlNetLoader": Kind({}, {"CONTROL_NET": "CONTROL_NET"}, ("control_net_name",)),
    "ControlNetApplyAdvanced": Kind(
        {
            "positive": "CONDITIONING",
            "negative": "CONDITIONING",
            "control_net": "CONTROL_NET",
            "image": "IMAGE",
            "vae": "VAE",
        },
        {"positive": "CONDITIONING", "negative": "CONDITIONING"},
        ("strength", "start_percent", "end_percent"),
        ("vae",),
    ),
    "LoadImage": Kind({}, {"IMAGE": "IMAGE", "MASK": "MASK"}, ("image", "upload")),
    "Canny": Kind({"image": "IMAGE"}, {"IMAGE": "IMAGE"}, ("low_threshold", "high_threshold")),
    "VAEDecode": Kind({"samples": "LATENT", "vae": "VAE"}, {"IMAGE": "IMAGE"}),
    "VAEDecodeTiled": Kind(
        {"samples": "LATENT", "vae": "VAE"},
        {"IMAGE": "IMAGE"},
        ("tile_size", "overlap", "temporal_size", "temporal_overlap"),
    ),
    "SaveImage": Kind({"images": "IMAGE"}, {}, ("filename_prefix",)),
    "PreviewImage": Kind({"images": "IMAGE"}, {}),
    "CreateVideo": Kind({"images": "IMAGE", "audio": "AUDIO"}, {"VIDEO": "VIDEO"}, ("fps",), ("audio",)),
    "SaveVideo": Kind({"video": "VIDEO"}, {}, ("filename_prefix", "format", "codec")),
    "MarkdownNote": Kind({}, {}, ("text",)),
}


def load_pack() -> ModuleType:
    """This pack, imported by its folder, as ComfyUI does."""
    name = str(ROOT).replace(".", "_x_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def specs(cls: type) -> dict[str, tuple]:
    """The inputs of a node class of ours, widgets included, in the page's order."""
    return {name: spec for part in ("required", "optional") for name, spec in cls.INPUT_TYPES().get(part, {}).items()}


def kind_of(cls: type) -> Kind:
    """What a node class of ours says about itself."""
    inputs = {name: spec[0] for name, spec in specs(cls).items()}
    widgets = tuple(name for name, type_ in inputs.items() if isinstance(type_, list) or type_ in WIDGET_TYPES)
    sockets = {name: type_ for name, type_ in inputs.items() if name not in widgets}
    optional = tuple(name for name in cls.INPUT_TYPES().get("optional", {}) if name in sockets)
    return Kind(sockets, dict(zip(cls.RETURN_NAMES, cls.RETURN_TYPES, strict=True)), widgets, optional)


def defaults(cls: type) -> dict[str, object]:
    """The values that the widgets of a node of ours show, with its first preset where it has presets."""
    options = {name: specs(cls)[name][1] for name in kind_of(cls).widgets}
    values = {name: own["default"] for name, own in options.items()}
    return values | options["preset"]["presets"][values["preset"]] if "preset" in values else values

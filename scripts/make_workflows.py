"""Write workflows/*.json, the example workflows in the format that ComfyUI's page saves: python scripts/make_workflows.py [FOLDER]."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parent))
from canvas import BLUE, PURPLE, Column, Group, Kind, Node, save_format

ROOT = Path(__file__).resolve().parent.parent
TALL = {"FEBCacheApply": 820, "ABCacheApply": 720}  # with the timeline, which the page adds, in the taller rendering, "Nodes 2.0"
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
    "KSampler": Kind({"model": "MODEL", "positive": "CONDITIONING", "negative": "CONDITIONING", "latent_image": "LATENT"}, {"LATENT": "LATENT"},
                     ("seed", "control", "steps", "cfg", "sampler_name", "scheduler", "denoise")),
    "RandomNoise": Kind({}, {"NOISE": "NOISE"}, ("noise_seed", "control")),
    "BasicGuider": Kind({"model": "MODEL", "conditioning": "CONDITIONING"}, {"GUIDER": "GUIDER"}),
    "KSamplerSelect": Kind({}, {"SAMPLER": "SAMPLER"}, ("sampler_name",)),
    "BasicScheduler": Kind({"model": "MODEL"}, {"SIGMAS": "SIGMAS"}, ("scheduler", "steps", "denoise")),
    "SamplerCustomAdvanced": Kind({"noise": "NOISE", "guider": "GUIDER", "sampler": "SAMPLER", "sigmas": "SIGMAS", "latent_image": "LATENT"},
                                  {"output": "LATENT", "denoised_output": "LATENT"}),
    "VAEDecode": Kind({"samples": "LATENT", "vae": "VAE"}, {"IMAGE": "IMAGE"}),
    "VAEDecodeTiled": Kind({"samples": "LATENT", "vae": "VAE"}, {"IMAGE": "IMAGE"}, ("tile_size", "overlap", "temporal_size", "temporal_overlap")),
    "SaveImage": Kind({"images": "IMAGE"}, {}, ("filename_prefix",)),
    "CreateVideo": Kind({"images": "IMAGE", "audio": "AUDIO"}, {"VIDEO": "VIDEO"}, ("fps",), ("audio",)),
    "SaveVideo": Kind({"video": "VIDEO"}, {}, ("filename_prefix", "format", "codec")),
    "MarkdownNote": Kind({}, {}, ("text",)),
}


def load_pack() -> ModuleType:
    """This pack, imported by its folder, as ComfyUI does."""
    name = str(ROOT).replace(".", "_x_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
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
    """The values that the widgets of a node of ours show with its first preset."""
    options = {name: specs(cls)[name][1] for name in kind_of(cls).widgets}
    values = {name: own["default"] for name, own in options.items()}
    return values | options["preset"]["presets"][values["preset"]]


CACHES = {  # node class: what it is called, how its widgets switch it off, and what else to know
    "FEBCacheApply": ("FEB-Cache", "set attention_interval, mlp_interval and fragile_interval to 1", ""),
    "ABCacheApply": ("AB-Cache", "set interval to 1",
                     "\n\nThe **first picture** is computed in full, and a plan is made from it; all that follow are fast. Switch **learn** off to "
                     "go by the widgets from the first picture on."),
}


def note(model: str, apply: Node, files: dict[str, str], hints: str) -> Node:
    """What a workflow needs, `files` by folder, and what to try with it."""
    cache, never_reuse, more = CACHES[apply.cls]
    rows = "\n".join(f"| {file} | {folder} |" for file, folder in files.items())
    text = f"""## {model} with {cache}

Put these files into their folders, then press **R** in the page or restart ComfyUI:

| file | folder in models |
|---|---|
{rows}

{hints}

To see what the cache costs in quality, {never_reuse} and run the same seed again: everything is then computed. \
Choosing the preset again brings the cache back.{more}
"""
    return Node("MarkdownNote", {"text": text}, height=460, title="Files to download")


def around(apply: Node, models: list[Node], prompt: list[Node], inputs: list[Node], sampler: Node, output: str, result: Group) -> list[Column]:
    """A workflow around a cache, a sampler with its latent `output`, and the other nodes, group by group."""
    return [
        Column(400, [Group("Models", BLUE, models)]),
        Column(400, [Group(CACHES[apply.cls][0], PURPLE, [apply]), Group("Prompt", BLUE, prompt)]),
        Column(320, [Group("Inputs of the sampler", BLUE, inputs)]),
        Column(480, [Group("Sampling, and what the cache did", BLUE, [
            sampler,
            Node("CacheReport", {}, {"report": f"{apply.cls}.report", "latent": f"{sampler.cls}.{output}"}, height=560),
        ])]),
        Column(420, [result]),
    ]


def loaders(unet: str, clip: str, clip_type: str) -> list[Node]:
    return [
        Node("UNETLoader", {"unet_name": unet, "weight_dtype": "default"}),
        Node("DualCLIPLoader", {"clip_name1": "clip_l.safetensors", "clip_name2": clip, "type": clip_type, "device": "default"}),
    ]


def prompted(text: str, guidance: float) -> list[Node]:
    return [
        Node("CLIPTextEncode", {"text": text}, {"clip": "DualCLIPLoader.CLIP"}, height=120),
        Node("FluxGuidance", {"guidance": guidance}, {"conditioning": "CLIPTextEncode.CONDITIONING"}),
    ]


def sampled(model: str, latent: str, steps: int) -> tuple[list[Node], Node]:
    """A sampler put together from nodes, and those nodes. `model`, `latent`: where these come from."""
    return [
        Node("RandomNoise", {"noise_seed": 42, "control": "fixed"}),
        Node("BasicGuider", {}, {"model": model, "conditioning": "FluxGuidance.CONDITIONING"}),
        Node("KSamplerSelect", {"sampler_name": "euler"}),
        Node("BasicScheduler", {"scheduler": "simple", "steps": steps, "denoise": 1.0}, {"model": model}),
    ], Node("SamplerCustomAdvanced", {}, {"noise": "RandomNoise.NOISE", "guider": "BasicGuider.GUIDER", "sampler": "KSamplerSelect.SAMPLER",
                                          "sigmas": "BasicScheduler.SIGMAS", "latent_image": latent})


def flux(apply: Node, before: list[Node], sampler: Node, output: str) -> list[Column]:
    """FLUX.1-dev, text to image. `before`: nodes that the sampler needs, besides the latent."""
    files = {"flux1-dev.safetensors": "diffusion_models", "clip_l.safetensors": "text_encoders",
             "t5xxl_fp16.safetensors, or t5xxl_fp8_e4m3fn.safetensors": "text_encoders", "ae.safetensors": "vae"}
    hints = """flux1-dev and ae: [black-forest-labs/FLUX.1-dev](https://huggingface.co/black-forest-labs/FLUX.1-dev). \
clip_l and t5xxl: [comfyanonymous/flux_text_encoders](https://huggingface.co/comfyanonymous/flux_text_encoders). \
With little memory take the fp8 t5xxl, and fp8_e4m3fn as weight_dtype."""
    text = ("A red fox curled up asleep on a mossy boulder beside a mountain stream, morning light through birch trees, drops of dew on its fur, "
            "photograph, 85 mm lens, shallow depth of field")
    return around(
        apply,
        [*loaders("flux1-dev.safetensors", "t5xxl_fp16.safetensors", "flux"), note("FLUX.1-dev", apply, files, hints)],
        prompted(text, 3.5),
        [Node("EmptySD3LatentImage", {"width": 1024, "height": 1024, "batch_size": 1}), *before],
        sampler, output,
        Group("Image", BLUE, [
            Node("VAELoader", {"vae_name": "ae.safetensors"}),
            Node("VAEDecode", {}, {"samples": "CacheReport.latent", "vae": "VAELoader.VAE"}),
            Node("SaveImage", {"filename_prefix": f"flux_{CACHES[apply.cls][0]}"}, {"images": "VAEDecode.IMAGE"}, height=420),
        ]))


def hunyuan_video(apply: Node) -> list[Column]:
    """HunyuanVideo, text to video, with the nodes and values of ComfyUI's own template."""
    unet, llava, vae = "hunyuan_video_t2v_720p_bf16.safetensors", "llava_llama3_fp8_scaled.safetensors", "hunyuan_video_vae_bf16.safetensors"
    files = {unet: "diffusion_models", "clip_l.safetensors": "text_encoders", llava: "text_encoders", vae: "vae"}
    hints = """All four: [Comfy-Org/HunyuanVideo_repackaged](https://huggingface.co/Comfy-Org/HunyuanVideo_repackaged), in split_files. \
With little memory take fp8_e4m3fn as weight_dtype, a smaller length, and a smaller tile_size.

Size, length and steps are those of ComfyUI's own template. With more steps the cache saves a larger share of the time."""
    text = ("A red fox trots along the mossy bank of a mountain stream and stops to drink, morning light through birch trees, mist over the water, "
            "the camera follows it from the side, realistic")
    before, sampler = sampled("ModelSamplingSD3.MODEL", "EmptyHunyuanLatentVideo.LATENT", steps=20)
    return around(
        apply,
        [*loaders(unet, llava, "hunyuan_video"), note("HunyuanVideo", apply, files, hints)],
        prompted(text, 6.0),
        [
            Node("EmptyHunyuanLatentVideo", {"width": 848, "height": 480, "length": 73, "batch_size": 1}),
            Node("ModelSamplingSD3", {"shift": 7.0}, {"model": f"{apply.cls}.model"}),
            *before,
        ],
        sampler, "output",
        Group("Video", BLUE, [
            Node("VAELoader", {"vae_name": vae}),
            Node("VAEDecodeTiled", {"tile_size": 256, "overlap": 64, "temporal_size": 64, "temporal_overlap": 8},
                 {"samples": "CacheReport.latent", "vae": "VAELoader.VAE"}),
            Node("CreateVideo", {"fps": 24.0}, {"images": "VAEDecodeTiled.IMAGE"}),
            Node("SaveVideo", {"filename_prefix": f"video/hunyuan_video_{CACHES[apply.cls][0]}", "format": "auto", "codec": "auto"},
                 {"video": "CreateVideo.VIDEO"}, height=360),
        ]))


def workflows(classes: dict[str, type]) -> dict[str, list[Column]]:
    """All the workflows, by file name."""
    feb, ab = (Node(name, defaults(classes[name]), {"model": "UNETLoader.MODEL"}, height=height) for name, height in TALL.items())
    return {
        "flux_feb_cache": flux(feb, *sampled("FEBCacheApply.model", "EmptySD3LatentImage.LATENT", steps=28), "output"),
        "flux_ab_cache": flux(
            ab, [Node("ConditioningZeroOut", {}, {"conditioning": "CLIPTextEncode.CONDITIONING"}, title="Negative (unused at cfg 1)")],
            Node("KSampler", {"seed": 42, "control": "fixed", "steps": 28, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple",
                              "denoise": 1.0},
                 {"model": "ABCacheApply.model", "positive": "FluxGuidance.CONDITIONING", "negative": "ConditioningZeroOut.CONDITIONING",
                  "latent_image": "EmptySD3LatentImage.LATENT"}), "LATENT"),
        "hunyuan_video_feb_cache": hunyuan_video(feb),
        "hunyuan_video_ab_cache": hunyuan_video(ab),
    }


def main(folder: Path) -> None:
    pack = load_pack()
    kinds = CORE | {name: kind_of(cls) for name, cls in pack.NODE_CLASS_MAPPINGS.items()}
    for name, columns in workflows(pack.NODE_CLASS_MAPPINGS).items():
        text = json.dumps(save_format(columns, kinds, pack.NODE_DISPLAY_NAME_MAPPINGS), indent=1)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "workflows")

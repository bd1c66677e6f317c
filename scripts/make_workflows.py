"""Write the example workflows, in the format that ComfyUI's page saves.

    python3 scripts/make_workflows.py [FOLDER]

FOLDER is example_workflows if it is not given.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from canvas import BLUE, Column, Group, Node, save_format
from kinds import CORE, ROOT, defaults, kind_of, load_pack
from more_flux import calibrated, controlled, side_by_side
from parts import (
    CACHES,
    CLOSED,
    FLUX_FILES,
    FLUX_HINTS,
    FLUX_VAE,
    FOX,
    around,
    flux_loaders,
    ksampler,
    load_vae,
    loaders,
    megapixel,
    note,
    prompted,
    sampled,
    saved,
    what_it_costs,
    zeroed,
)


def flux(apply: Node, before: list[Node], sampler: Node, output: str) -> list[Column]:
    """FLUX.1-dev, text to image. `before`: nodes that the sampler needs, besides the latent."""
    cache = CACHES[apply.cls][0]
    return around(
        apply,
        [*flux_loaders(), note(f"FLUX.1-dev with {cache}", FLUX_FILES, FLUX_HINTS, what_it_costs(apply))],
        prompted(FOX, 3.5),
        [megapixel(), *before],
        sampler,
        output,
        Group("Image", BLUE, [load_vae(FLUX_VAE), *saved(f"flux_{cache}")]),
    )


def hunyuan_video(apply: Node) -> list[Column]:
    """HunyuanVideo, text to video, with the nodes and values of ComfyUI's own template."""
    unet, vae = "hunyuan_video_t2v_720p_bf16.safetensors", "hunyuan_video_vae_bf16.safetensors"
    llava = "llava_llama3_fp8_scaled.safetensors"
    files = {unet: "diffusion_models", "clip_l.safetensors": "text_encoders", llava: "text_encoders", vae: "vae"}
    repository = "Comfy-Org/HunyuanVideo_repackaged"
    hints = f"""All four: [{repository}](https://huggingface.co/{repository}), in split_files. \
With little memory take fp8_e4m3fn as weight_dtype, a smaller length, and a smaller tile_size.

Size, length and steps are those of ComfyUI's own template. With more steps the cache saves a larger share of \
the time."""
    text = (
        "A red fox trots along the mossy bank of a mountain stream and stops to drink, morning light through birch "
        "trees, mist over the water, the camera follows it from the side, realistic"
    )
    cache = CACHES[apply.cls][0]
    before, sampler = sampled("ModelSamplingSD3.MODEL", "EmptyHunyuanLatentVideo.LATENT", steps=20)
    return around(
        apply,
        [
            *loaders(unet, llava, "hunyuan_video"),
            note(f"HunyuanVideo with {cache}", files, hints, what_it_costs(apply)),
        ],
        prompted(text, 6.0),
        [
            Node("EmptyHunyuanLatentVideo", {"width": 848, "height": 480, "length": 73, "batch_size": 1}),
            Node("ModelSamplingSD3", {"shift": 7.0}, {"model": f"{apply.cls}.model"}),
            *before,
        ],
        sampler,
        "output",
        Group(
            "Video",
            BLUE,
            [
                load_vae(vae),
                Node(
                    "VAEDecodeTiled",
                    {"tile_size": 256, "overlap": 64, "temporal_size": 64, "temporal_overlap": 8},
                    {"samples": "CacheReport.latent", "vae": "VAELoader.VAE"},
                ),
                Node("CreateVideo", {"fps": 24.0}, {"images": "VAEDecodeTiled.IMAGE"}),
                Node(
                    "SaveVideo",
                    {"filename_prefix": f"video/hunyuan_video_{cache}", "format": "auto", "codec": "auto"},
                    {"video": "CreateVideo.VIDEO"},
                    height=360,
                ),
            ],
        ),
    )


def workflows(classes: dict[str, type]) -> dict[str, list[Column]]:
    """All the workflows, by file name."""

    def node(name: str, model: str = "UNETLoader.MODEL", **links: str) -> Node:
        return Node(name, defaults(classes[name]), {"model": model, **links}, height=CLOSED.get(name, 0))

    feb, ab = node("FEBCacheApply"), node("ABCacheApply")
    return {
        "04_flux_text_to_image_with_feb_cache": flux(
            feb, *sampled("FEBCacheApply.model", "EmptySD3LatentImage.LATENT", steps=28), "output"
        ),
        "01_start_here_flux_text_to_image": flux(
            ab,
            [zeroed("CLIPTextEncode.CONDITIONING")],
            ksampler("ABCacheApply.model", "FluxGuidance.CONDITIONING", "ConditioningZeroOut.CONDITIONING"),
            "LATENT",
        ),
        "05_flux_plan_from_several_pictures": calibrated(
            node("CacheCalibrate"), node("ABCacheApply", plan="CachePlanSave.plan")
        ),
        "03_flux_with_lora_and_controlnet": controlled(node("ABCacheApply", "LoraLoaderModelOnly.MODEL")),
        "02_flux_uncached_and_cached_side_by_side": side_by_side(ab, defaults(classes["CacheCompare"])),
        "11_hunyuan_video_text_to_video_with_feb_cache": hunyuan_video(feb),
        "10_hunyuan_video_text_to_video": hunyuan_video(ab),
    }


def main(folder: Path) -> None:
    pack = load_pack()
    kinds = CORE | {name: kind_of(cls) for name, cls in pack.NODE_CLASS_MAPPINGS.items()}
    for name, columns in workflows(pack.NODE_CLASS_MAPPINGS).items():
        text = json.dumps(save_format(columns, kinds, pack.NODE_DISPLAY_NAME_MAPPINGS), indent=1)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "example_workflows")

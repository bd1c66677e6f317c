"""Parts that the example workflows share."""

from canvas import BLUE, PURPLE, Column, Group, Node

# with two widgets at sight and the timeline, which the page adds, in the taller rendering, "Nodes 2.0"
CLOSED = {"FEBCacheApply": 364, "ABCacheApply": 350}
CACHES = {  # node class: what it is called, how its widgets switch it off, and what else to know
    "FEBCacheApply": ("FEB-Cache", "set attention_interval, mlp_interval and fragile_interval to 1", ""),
    "ABCacheApply": (
        "AB-Cache",
        "set interval to 1",
        "\n\nThe **first picture** is computed in full, and a plan is made from it; all that follow are fast. Switch "
        "**learn** off to go by the widgets from the first picture on.",
    ),
}
FLUX_UNET, FLUX_VAE = "flux1-dev.safetensors", "ae.safetensors"
FLUX_FILES = {
    FLUX_UNET: "diffusion_models",
    "clip_l.safetensors": "text_encoders",
    "t5xxl_fp16.safetensors, or t5xxl_fp8_e4m3fn.safetensors": "text_encoders",
    FLUX_VAE: "vae",
}
FLUX_HINTS = """flux1-dev and ae: [black-forest-labs/FLUX.1-dev](https://huggingface.co/black-forest-labs/FLUX.1-dev). \
clip_l and t5xxl: [comfyanonymous/flux_text_encoders](https://huggingface.co/comfyanonymous/flux_text_encoders). \
With little memory take the fp8 t5xxl, and fp8_e4m3fn as weight_dtype."""
FOX = (
    "A red fox curled up asleep on a mossy boulder beside a mountain stream, morning light through birch trees, drops "
    "of dew on its fur, photograph, 85 mm lens, shallow depth of field"
)
UNUSED = "Negative (unused at cfg 1)"


def note(heading: str, files: dict[str, str], *paragraphs: str, height: int = 460) -> Node:
    """What a workflow needs, `files` by folder, and what to know of it."""
    rows = "\n".join(f"| {file} | {folder} |" for file, folder in files.items())
    below = "\n\n".join(paragraphs)
    text = f"""## {heading}

Put these files into their folders, then press **R** in the page or restart ComfyUI:

| file | folder in models |
|---|---|
{rows}

{below}
"""
    return Node("MarkdownNote", {"text": text}, height=height, title="Files to download")


def what_it_costs(apply: Node) -> str:
    """How to see the picture without the cache, for a note."""
    _, never_reuse, more = CACHES[apply.cls]
    return (
        f"To see what the cache costs in quality, {never_reuse} and run the same seed again: everything is then "
        f"computed. Choosing the preset again brings the cache back.{more}"
    )


def loaders(unet: str, clip: str, clip_type: str) -> list[Node]:
    return [
        Node("UNETLoader", {"unet_name": unet, "weight_dtype": "default"}),
        Node(
            "DualCLIPLoader",
            {"clip_name1": "clip_l.safetensors", "clip_name2": clip, "type": clip_type, "device": "default"},
        ),
    ]


def flux_loaders() -> list[Node]:
    return loaders(FLUX_UNET, "t5xxl_fp16.safetensors", "flux")


def prompted(text: str, guidance: float) -> list[Node]:
    return [
        Node("CLIPTextEncode", {"text": text}, {"clip": "DualCLIPLoader.CLIP"}, height=120),
        Node("FluxGuidance", {"guidance": guidance}, {"conditioning": "CLIPTextEncode.CONDITIONING"}),
    ]


def zeroed(conditioning: str) -> Node:
    """The negative prompt that KSampler asks for and does not use at cfg 1."""
    return Node("ConditioningZeroOut", {}, {"conditioning": conditioning}, title=UNUSED)


def megapixel() -> Node:
    return Node("EmptySD3LatentImage", {"width": 1024, "height": 1024, "batch_size": 1})


def noise(control: str = "fixed") -> Node:
    return Node("RandomNoise", {"noise_seed": 42, "control": control})


def scheduled(model: str, steps: int) -> list[Node]:
    """Sampler and sigmas."""
    return [
        Node("KSamplerSelect", {"sampler_name": "euler"}),
        Node("BasicScheduler", {"scheduler": "simple", "steps": steps, "denoise": 1.0}, {"model": model}),
    ]


def guided(model: str, name: str = "", conditioning: str = "FluxGuidance.CONDITIONING") -> Node:
    return Node("BasicGuider", {}, {"model": model, "conditioning": conditioning}, name=name)


def custom_sampler(latent: str, guider: str = "BasicGuider", name: str = "", title: str = "") -> Node:
    return Node(
        "SamplerCustomAdvanced",
        {},
        {
            "noise": "RandomNoise.NOISE",
            "guider": f"{guider}.GUIDER",
            "sampler": "KSamplerSelect.SAMPLER",
            "sigmas": "BasicScheduler.SIGMAS",
            "latent_image": latent,
        },
        name=name,
        title=title,
    )


def sampled(model: str, latent: str, steps: int) -> tuple[list[Node], Node]:
    """A sampler put together from nodes, and those nodes. `model`, `latent`: where these come from."""
    return [noise(), guided(model), *scheduled(model, steps)], custom_sampler(latent)


def ksampler(model: str, positive: str, negative: str) -> Node:
    return Node(
        "KSampler",
        {
            "seed": 42,
            "control": "fixed",
            "steps": 28,
            "cfg": 1.0,
            "sampler_name": "euler",
            "scheduler": "simple",
            "denoise": 1.0,
        },
        {"model": model, "positive": positive, "negative": negative, "latent_image": "EmptySD3LatentImage.LATENT"},
    )


def reported(apply: Node, latent: str, height: int = 560) -> Node:
    return Node("CacheReport", {}, {"report": f"{apply.cls}.report", "latent": latent}, height=height)


def saved(prefix: str) -> list[Node]:
    """The reported latent as a picture in ComfyUI's output folder."""
    return [
        Node("VAEDecode", {}, {"samples": "CacheReport.latent", "vae": "VAELoader.VAE"}),
        Node("SaveImage", {"filename_prefix": prefix}, {"images": "VAEDecode.IMAGE"}, height=420),
    ]


def load_vae(name: str) -> Node:
    return Node("VAELoader", {"vae_name": name})


def around(
    apply: Node, models: list[Node], prompt: list[Node], inputs: list[Node], sampler: Node, output: str, result: Group
) -> list[Column]:
    """A workflow around a cache, a sampler with its latent `output`, and the other nodes, group by group."""
    return [
        Column(400, [Group("Models", BLUE, models)]),
        Column(400, [Group(CACHES[apply.cls][0], PURPLE, [apply]), Group("Prompt", BLUE, prompt)]),
        Column(320, [Group("Inputs of the sampler", BLUE, inputs)]),
        Column(
            480,
            [Group("Sampling, and what the cache did", BLUE, [sampler, reported(apply, f"{sampler.cls}.{output}")])],
        ),
        Column(420, [result]),
    ]

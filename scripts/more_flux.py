"""Example workflows of FLUX.1-dev that show more than one picture with one cache."""

from canvas import BLUE, PURPLE, Column, Group, Node
from parts import (
    CACHES,
    FLUX_FILES,
    FLUX_HINTS,
    FLUX_VAE,
    FOX,
    custom_sampler,
    flux_loaders,
    guided,
    ksampler,
    load_vae,
    megapixel,
    noise,
    note,
    prompted,
    reported,
    saved,
    scheduled,
    zeroed,
)

LATENT, UNCACHED, CACHED = "EmptySD3LatentImage.LATENT", "uncached", "cached"
STREET = (
    "A street market in the rain at night, lanterns over the stalls, people with umbrellas, reflections on the wet "
    "stones, photograph, 35 mm lens"
)
CALIBRATION = """**1. Calibrate.** The first queue takes as long as about 12 pictures: Cache Calibrate finds the \
plan, Cache Plan Save keeps it. Interrupt it, and the next queue goes on where it stopped.

**2. Apply.** From then on write your own prompt: only the sampler runs. Leave the prompt, seed and size of step 1 as \
they are; a change there, another LoRA, sampler or step count calibrates anew.

In another workflow, Cache Plan Load finds the plan as flux_28_steps, and Cache Calibrate can be left out."""
CONTROL = """The LoRA comes before AB-Cache Apply: what is learned is for the model with this LoRA, and another LoRA \
or strength is learned anew.

The **first picture** is computed in full, and a plan is made from it; all that follow are fast. The ControlNet is \
skipped with the model: it runs only at the steps that are computed.

The example picture comes with ComfyUI; choose your own in Load Image. Canny, soft edge, depth, pose and gray \
pictures work with this ControlNet."""
COMPARISON = """**Queue twice.** With the first seed AB-Cache Apply computes everything and learns, so nothing \
differs. The seed then counts up, and the second queue compares a fast picture with the uncached one of the same seed, \
noise and prompt.

Cache Compare says PSNR and SSIM, shows the uncached picture left of the wipe and the cached one right of it, and the \
difference, brightened. Each queue samples twice; for every day take 01_start_here_flux_text_to_image.

To compare FEB-Cache, put FEB-Cache Apply in the place of AB-Cache Apply; it has nothing to learn first."""


def column(width: int, *nodes: Node, title: str, colour: str = BLUE) -> Column:
    """A column of one group."""
    return Column(width, [Group(title, colour, list(nodes))])


def calibrated(calibrate: Node, apply: Node) -> list[Column]:
    """Calibrate once with one prompt, then sample others with the plan. Two prompts, for a change of the first would
    calibrate anew."""
    calibrate.links |= {
        "positive": "calibration.CONDITIONING",
        "negative": "ConditioningZeroOut.CONDITIONING",
        "latent_image": LATENT,
        "sampler": "KSamplerSelect.SAMPLER",
        "sigmas": "BasicScheduler.SIGMAS",
    }
    calibrate.height = 640
    files = note("FLUX.1-dev, calibrated", FLUX_FILES, FLUX_HINTS, CALIBRATION, height=620)
    text, guidance = prompted(STREET, 3.5)
    text.name, guidance.name = "calibration text", "calibration"
    guidance.links = {"conditioning": "calibration text.CONDITIONING"}
    first = [text, guidance, zeroed("calibration text.CONDITIONING")]
    keep = Node("CachePlanSave", {"name": "flux_28_steps"}, {"plan": "CacheCalibrate.plan"}, height=120)
    curves = Node("PreviewImage", {}, {"images": "CacheCalibrate.curves"}, height=360, title="What was found")
    both = [megapixel(), *scheduled("UNETLoader.MODEL", steps=28)]
    prompt = [*prompted(FOX, 3.5), noise("randomize")]
    sampler = [guided("ABCacheApply.model"), custom_sampler(LATENT), reported(apply, "SamplerCustomAdvanced.output")]
    return [
        column(400, *flux_loaders(), files, title="Models"),
        Column(
            380, [Group("Prompt to calibrate with", BLUE, first), Group("Size, sampler, steps of both", BLUE, both)]
        ),
        column(440, calibrate, keep, curves, title="1. Calibrate once", colour=PURPLE),
        Column(400, [Group("2. Apply", PURPLE, [apply]), Group("Your prompt", BLUE, prompt)]),
        column(480, *sampler, title="Sampling, and what the cache did"),
        column(420, load_vae(FLUX_VAE), *saved("flux_calibrated"), title="Image"),
    ]


def controlled(apply: Node) -> list[Column]:
    """A LoRA, and a ControlNet led by the edges of a picture."""
    lora, control = "FLUX-dev-lora-add_details.safetensors", "FLUX.1-dev-ControlNet-Union-Pro-2.0.safetensors"
    add_details, union = "Shakker-Labs/FLUX.1-dev-LoRA-add-details", "Shakker-Labs/FLUX.1-dev-ControlNet-Union-Pro-2.0"
    more = (
        f"LoRA: [{add_details}](https://huggingface.co/{add_details}). ControlNet: "
        f"[{union}](https://huggingface.co/{union}), where it is called diffusion_pytorch_model.safetensors: give it "
        "the name above."
    )
    files = note(
        "FLUX.1-dev with AB-Cache, LoRA and ControlNet",
        FLUX_FILES | {lora: "loras", control: "controlnet"},
        f"{FLUX_HINTS} {more}",
        CONTROL,
        height=720,
    )
    loaded = {"lora_name": lora, "strength_model": 1.0}
    edges = [
        Node("LoadImage", {"image": "example.png", "upload": "image"}, height=490),
        Node("Canny", {"low_threshold": 0.3, "high_threshold": 0.6}, {"image": "LoadImage.IMAGE"}),
        Node("PreviewImage", {}, {"images": "Canny.IMAGE"}, height=440, title="Edges"),
    ]
    links = {
        "positive": "FluxGuidance.CONDITIONING",
        "negative": "ConditioningZeroOut.CONDITIONING",
        "control_net": "ControlNetLoader.CONTROL_NET",
        "image": "Canny.IMAGE",
        "vae": "VAELoader.VAE",
    }
    controlling = [
        load_vae(FLUX_VAE),
        Node("ControlNetLoader", {"control_net_name": control}),
        Node("ControlNetApplyAdvanced", {"strength": 0.7, "start_percent": 0.0, "end_percent": 0.8}, links),
    ]
    prompt = [*prompted(FOX, 3.5), zeroed("CLIPTextEncode.CONDITIONING")]
    sampler = ksampler("ABCacheApply.model", "ControlNetApplyAdvanced.positive", "ControlNetApplyAdvanced.negative")
    told = reported(apply, "KSampler.LATENT", height=460)
    with_lora = Node("LoraLoaderModelOnly", loaded, {"model": "UNETLoader.MODEL"})
    return [
        column(420, *flux_loaders(), with_lora, files, title="Models"),
        Column(400, [Group(CACHES[apply.cls][0], PURPLE, [apply]), Group("Prompt", BLUE, prompt)]),
        column(380, *edges, title="Edges of a picture"),
        Column(400, [Group("ControlNet", BLUE, controlling), Group("Sampling", BLUE, [megapixel(), sampler])]),
        Column(460, [Group("What the cache did", BLUE, [told]), Group("Image", BLUE, saved("flux_lora_controlnet"))]),
    ]


def side_by_side(apply: Node, comparing: dict[str, object]) -> list[Column]:
    """The same noise and prompt sampled without and with the cache. `comparing`: the values of Cache Compare."""
    files = note("FLUX.1-dev, uncached and cached", FLUX_FILES, FLUX_HINTS, COMPARISON, height=600)
    inputs = [megapixel(), noise("increment"), *scheduled("UNETLoader.MODEL", steps=28)]
    plain = sampling("UNETLoader.MODEL", UNCACHED, "Without the cache")
    cached = sampling(f"{apply.cls}.model", CACHED, "With the cache")
    told = reported(apply, f"{CACHED} sampler.output", height=460)
    pictures = [decoded(f"{UNCACHED} sampler.output", UNCACHED), decoded("CacheReport.latent", CACHED)]
    links = {UNCACHED: f"{UNCACHED}.IMAGE", CACHED: f"{CACHED}.IMAGE"}
    alike = [load_vae(FLUX_VAE), *pictures, Node("CacheCompare", comparing, links, height=620)]
    seen = [shown("wipe", "Uncached left, cached right"), shown("difference", "Difference, brightened")]
    return [
        column(400, *flux_loaders(), files, title="Models"),
        Column(400, [Group(CACHES[apply.cls][0], PURPLE, [apply]), Group("Prompt", BLUE, prompted(FOX, 3.5))]),
        column(320, *inputs, title="Inputs of both samplers"),
        Column(480, [Group("Uncached", BLUE, plain), Group("Cached", PURPLE, [*cached, told])]),
        column(460, *alike, title="How alike they are", colour=PURPLE),
        column(460, *seen, title="Seen"),
    ]


def sampling(model: str, name: str, title: str) -> list[Node]:
    guider = f"{name} guider"
    return [guided(model, guider), custom_sampler(LATENT, guider, f"{name} sampler", title)]


def shown(output: str, title: str) -> Node:
    """An output of Cache Compare."""
    return Node("PreviewImage", {}, {"images": f"CacheCompare.{output}"}, height=520, title=title, name=output)


def decoded(latent: str, name: str) -> Node:
    return Node("VAEDecode", {}, {"samples": latent, "vae": "VAELoader.VAE"}, title=f"Decode: {name}", name=name)

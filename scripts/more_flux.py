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
    "stones, photograph, 35 mm "
    "lens"
)
CALIBRATION = """**1. Calibrate.** The first queue takes as long as about 12 pictures: Cache Calibrate finds the plan, Cache Plan Save keeps \
it. Interrupt it, and the next queue goes on where it stopped.

**2. Apply.** From then on write your own prompt: only the sampler runs. Leave the prompt, seed and size of step 1 as they are; a change there, \
another LoRA, sampler or step count calibrates anew.

In another workflow, Cache Plan Load finds the plan as flux_28_steps, and Cache Calibrate can be left out."""
CONTROL = """The LoRA comes before AB-Cache Apply: what is learned is for the model with this LoRA, and another LoRA or strength is learned anew.

The **first picture** is computed in full, and a plan is made from it; all that follow are fast. The ControlNet is skipped \
with the model: it runs only at the steps that are computed.

The example picture comes with ComfyUI; choose your own in Load Image. Canny, soft edge, depth, pose and gray pictures work with this ControlNet."""
COMPARISON = """**Queue twice.** With the first seed AB-Cache Apply computes everything and learns, so nothing differs. The seed then counts up, and \
the second queue compares a fast picture with the uncached one of the same seed, noise and prompt.

Cache Compare says PSNR and SSIM, shows the uncached picture left of the wipe and the cached one right of it, and the difference, brightened. Each \
queue samples twice; for every day take flux_ab_cache.

To compare FEB-Cache, put FEB-Cache Apply in the place of AB-Cache Apply; it has nothing to learn first."""


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
    text.name, guidance.name, guidance.links = (
        "calibration text",
        "calibration",
        {"conditioning": "calibration text.CONDITIONING"},
    )
    return [
        Column(400, [Group("Models", BLUE, [*flux_loaders(), files])]),
        Column(
            380,
            [
                Group("Prompt to calibrate with", BLUE, [text, guidance, zeroed("calibration text.CONDITIONING")]),
                Group("Size, sampler, steps of both", BLUE, [megapixel(), *scheduled("UNETLoader.MODEL", steps=28)]),
            ],
        ),
        Column(
            440,
            [
                Group(
                    "1. Calibrate once",
                    PURPLE,
                    [
                        calibrate,
                        Node("CachePlanSave", {"name": "flux_28_steps"}, {"plan": "CacheCalibrate.plan"}, height=120),
                        Node(
                            "PreviewImage", {}, {"images": "CacheCalibrate.curves"}, height=360, title="What was found"
                        ),
                    ],
                )
            ],
        ),
        Column(
            400,
            [Group("2. Apply", PURPLE, [apply]), Group("Your prompt", BLUE, [*prompted(FOX, 3.5), noise("randomize")])],
        ),
        Column(
            480,
            [
                Group(
                    "Sampling, and what the cache did",
                    BLUE,
                    [
                        guided("ABCacheApply.model"),
                        custom_sampler(LATENT),
                        reported(apply, "SamplerCustomAdvanced.output"),
                    ],
                )
            ],
        ),
        Column(420, [Group("Image", BLUE, [load_vae(FLUX_VAE), *saved("flux_calibrated")])]),
    ]


def controlled(apply: Node) -> list[Column]:
    """A LoRA, and a ControlNet led by the edges of a picture."""
    lora, control = "FLUX-dev-lora-add_details.safetensors", "FLUX.1-dev-ControlNet-Union-Pro-2.0.safetensors"
    more = (
        "LoRA: "
        "[Shakker-Labs/FLUX.1-dev-LoRA-add-details](https://huggingface.co/Shakker-Labs/FLUX.1-dev-LoRA-add-details). "
        "ControlNet: "
        "[Shakker-Labs/FLUX.1-dev-ControlNet-Union-Pro-2.0](https://huggingface.co/Shakker-Labs/FLUX.1-dev-ControlNet-Union-Pro-2.0), "
        "where it "
        "is called diffusion_pytorch_model.safetensors: give it the name above."
    )
    files = note(
        "FLUX.1-dev with AB-Cache, LoRA and ControlNet",
        FLUX_FILES | {lora: "loras", control: "controlnet"},
        f"{FLUX_HINTS} {more}",
        CONTROL,
        height=720,
    )
    edges = [
        Node("LoadImage", {"image": "example.png", "upload": "image"}, height=490),
        Node("Canny", {"low_threshold": 0.3, "high_threshold": 0.6}, {"image": "LoadImage.IMAGE"}),
        Node("PreviewImage", {}, {"images": "Canny.IMAGE"}, height=440, title="Edges"),
    ]
    controlling = [
        load_vae(FLUX_VAE),
        Node("ControlNetLoader", {"control_net_name": control}),
        Node(
            "ControlNetApplyAdvanced",
            {"strength": 0.7, "start_percent": 0.0, "end_percent": 0.8},
            {
                "positive": "FluxGuidance.CONDITIONING",
                "negative": "ConditioningZeroOut.CONDITIONING",
                "control_net": "ControlNetLoader.CONTROL_NET",
                "image": "Canny.IMAGE",
                "vae": "VAELoader.VAE",
            },
        ),
    ]
    sampler = ksampler("ABCacheApply.model", "ControlNetApplyAdvanced.positive", "ControlNetApplyAdvanced.negative")
    return [
        Column(
            420,
            [
                Group(
                    "Models",
                    BLUE,
                    [
                        *flux_loaders(),
                        Node(
                            "LoraLoaderModelOnly",
                            {"lora_name": lora, "strength_model": 1.0},
                            {"model": "UNETLoader.MODEL"},
                        ),
                        files,
                    ],
                )
            ],
        ),
        Column(
            400,
            [
                Group(CACHES[apply.cls][0], PURPLE, [apply]),
                Group("Prompt", BLUE, [*prompted(FOX, 3.5), zeroed("CLIPTextEncode.CONDITIONING")]),
            ],
        ),
        Column(380, [Group("Edges of a picture", BLUE, edges)]),
        Column(400, [Group("ControlNet", BLUE, controlling), Group("Sampling", BLUE, [megapixel(), sampler])]),
        Column(
            460,
            [
                Group("What the cache did", BLUE, [reported(apply, "KSampler.LATENT", height=460)]),
                Group("Image", BLUE, saved("flux_lora_controlnet")),
            ],
        ),
    ]


def side_by_side(apply: Node, comparing: dict[str, object]) -> list[Column]:
    """The same noise and prompt sampled without and with the cache. `comparing`: the values of Cache Compare."""
    files = note("FLUX.1-dev, uncached and cached", FLUX_FILES, FLUX_HINTS, COMPARISON, height=600)
    return [
        Column(400, [Group("Models", BLUE, [*flux_loaders(), files])]),
        Column(400, [Group(CACHES[apply.cls][0], PURPLE, [apply]), Group("Prompt", BLUE, prompted(FOX, 3.5))]),
        Column(
            320,
            [
                Group(
                    "Inputs of both samplers",
                    BLUE,
                    [megapixel(), noise("increment"), *scheduled("UNETLoader.MODEL", steps=28)],
                )
            ],
        ),
        Column(
            480,
            [
                Group(
                    "Uncached",
                    BLUE,
                    [
                        guided("UNETLoader.MODEL", f"{UNCACHED} guider"),
                        custom_sampler(LATENT, f"{UNCACHED} guider", f"{UNCACHED} sampler", "Without the cache"),
                    ],
                ),
                Group(
                    "Cached",
                    PURPLE,
                    [
                        guided(f"{apply.cls}.model", f"{CACHED} guider"),
                        custom_sampler(LATENT, f"{CACHED} guider", f"{CACHED} sampler", "With the cache"),
                        reported(apply, f"{CACHED} sampler.output", height=460),
                    ],
                ),
            ],
        ),
        Column(
            460,
            [
                Group(
                    "How alike they are",
                    PURPLE,
                    [
                        load_vae(FLUX_VAE),
                        decoded(f"{UNCACHED} sampler.output", UNCACHED),
                        decoded("CacheReport.latent", CACHED),
                        Node(
                            "CacheCompare",
                            comparing,
                            {UNCACHED: f"{UNCACHED}.IMAGE", CACHED: f"{CACHED}.IMAGE"},
                            height=520,
                        ),
                    ],
                )
            ],
        ),
        Column(
            460,
            [
                Group(
                    "Seen",
                    BLUE,
                    [
                        Node(
                            "PreviewImage",
                            {},
                            {"images": "CacheCompare.wipe"},
                            height=520,
                            title="Uncached left, cached right",
                            name="wipe",
                        ),
                        Node(
                            "PreviewImage",
                            {},
                            {"images": "CacheCompare.difference"},
                            height=520,
                            title="Difference, brightened",
                            name="difference",
                        ),
                    ],
                )
            ],
        ),
    ]


def decoded(latent: str, name: str) -> Node:
    return Node("VAEDecode", {}, {"samples": latent, "vae": "VAELoader.VAE"}, title=f"Decode: {name}", name=name)

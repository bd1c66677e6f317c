"""Conditionings, guidance and control: everything that makes one step call the model more than once, or on other
rows."""

from unittest.mock import patch

import torch
from comfy_models import conditioning
from control import Control
from scenarios.row import Row
from scenarios.scene import Scene
from test_hunyuan_video import text

NO_FRAMES = dict.fromkeys(("FLUX", "SD3", "U-Net"), "a picture has no frames to cut windows from")


def plain_conds(**change):
    def play(scene: Scene, node):
        how = {name: value(scene) for name, value in change.items()}
        return [scene.sample(node(scene.model), **how)]

    return play


def free_memory(answers):
    """ComfyUI batches conditionings by what is free: `answers` are given in turn."""

    def play(scene: Scene, node):
        import comfy.model_management as management

        asked = []

        def free(*args, **kwargs):
            asked.append(args)
            return answers[len(asked) % len(answers)]

        model = node(scene.model)
        with patch.object(management, "get_free_memory", free):
            return [scene.sample(model)]

    return play


def with_facts(prompt: list, **facts) -> list:
    return [[context, {**known, **facts}] for context, known in prompt]


def twice(scene: Scene) -> list:
    return [*scene.positive, *with_facts(scene.positive)]


def halves(scene: Scene) -> list:
    """Two prompts for the halves of the picture, and one for all of it."""
    size, start = scene.shape[1:], [0] * (len(scene.shape) - 2)
    area = (*size[:-1], size[-1] // 2)
    return [
        *with_facts(scene.positive, area=(*area, *start, 0), strength=1.0),
        *with_facts(scene.negative, area=(*area, *start, size[-1] // 2), strength=1.0),
        *scene.positive,
    ]


def masked(scene: Scene) -> list:
    mask = torch.zeros(1, *scene.shape[-2:])
    mask[..., : scene.shape[-1] // 2] = 1
    return [*with_facts(scene.positive, mask=mask, mask_strength=1.0, set_area_to_bounds=False), *scene.negative]


def in_parts(scene: Scene) -> list:
    """One prompt for the first half of the steps and another one for the second."""
    return [
        *with_facts(scene.positive, start_percent=0.0, end_percent=0.5),
        *with_facts(scene.negative, start_percent=0.5, end_percent=1.0),
    ]


def longer(scene: Scene) -> list:
    """A negative prompt with more tokens of text."""
    prompt = text(2) if scene.name == "HunyuanVideo" else conditioning(2)
    grown = torch.cat([prompt[0][0], conditioning(3)[0][0][:, :5]], dim=1)
    return [[grown, dict(scene.negative[0][1])]]


def latent_mask(scene: Scene) -> torch.Tensor:
    mask = torch.zeros(1, 1, *scene.shape[1:])
    mask[..., : scene.shape[-1] // 2] = 1
    return mask


def differential(scene: Scene, node):
    from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion

    mask = torch.linspace(0, 1, scene.shape[-1]).expand(1, 1, *scene.shape[1:])
    return [scene.sample(node(DifferentialDiffusion.execute(scene.model)[0]), mask=mask)]


def skipped_layers(scene: Scene, node):
    from comfy_extras.nodes_slg import SkipLayerGuidanceDiT

    return [
        scene.sample(
            node(SkipLayerGuidanceDiT.execute(scene.model, 2.0, 0.0, 1.0, double_layers="0", single_layers="")[0])
        )
    ]


def perturbed_attention(scene: Scene, node):
    from comfy_extras.nodes_pag import PerturbedAttentionGuidance

    later = getattr(PerturbedAttentionGuidance, "execute", None)  # than 0.3.64
    patched = later or PerturbedAttentionGuidance().patch
    return [scene.sample(node(patched(scene.model, 3.0)[0]))]


def control(start: float):
    def play(scene: Scene, node):
        tokens = torch.Size(scene.shape[1:]).numel() // 4
        residual = Control(tokens, 128, start)
        return [
            scene.sample(
                node(scene.model), positive=with_facts(scene.positive, control=residual, control_apply_to_uncond=True)
            )
        ]

    return play


def windows(schedule: str):
    def play(scene: Scene, node):
        from comfy import context_windows

        model = scene.model.clone()
        model.model_options["context_handler"] = context_windows.IndexListContextHandler(
            context_windows.get_matching_context_schedule(schedule),
            context_windows.get_matching_fuse_method("pyramid"),
            context_length=4,
            context_overlap=2,
            context_stride=1,
            closed_loop=False,
            dim=2,
        )
        context_windows.create_prepare_sampling_wrapper(model)
        return [scene.sample(node(model))]

    return play


def perp_neg(scene: Scene, node):
    from comfy_extras.nodes_perpneg import Guider_PerpNeg

    guider = Guider_PerpNeg(node(scene.model))
    guider.set_conds(scene.positive, scene.negative, longer(scene) if scene.name == "FLUX" else scene.negative)
    guider.set_cfg(2.0, 1.0)
    return [scene.guided(guider)]


def dual(scene: Scene, node):
    from comfy_extras.nodes_custom_sampler import Guider_DualCFG

    guider = Guider_DualCFG(node(scene.model))
    guider.set_conds(scene.positive, longer(scene) if scene.name == "FLUX" else scene.negative, scene.negative)
    guider.set_cfg(2.0, 1.5)
    return [scene.guided(guider)]


def basic(scene: Scene, node):
    from comfy_extras.nodes_custom_sampler import Guider_Basic

    guider = Guider_Basic(node(scene.model))
    guider.set_conds(scene.positive)
    return [scene.guided(guider)]


NOT_SKIPPABLE = {"U-Net": "SkipLayerGuidanceDiT is for transformers"}
NO_CONTROL = {
    "Wan": "core has no ControlNet for Wan; Wan VACE is in tests/host/test_hosts.py",
    "U-Net": "its residuals have other shapes",
}
ROWS = (
    Row("no guidance", "PEERS 2.1", "cfg 1: the negative prompt is not evaluated", plain_conds(cfg=lambda _: 1.0)),
    Row(
        "conditionings in calls of their own", "PEERS 2.1", "as ComfyUI does with little free memory", free_memory((0,))
    ),
    Row(
        "conditionings batched now and then",
        "PEERS 2.1",
        "free memory changes from step to step",
        free_memory((1e12, 0, 0)),
    ),
    Row(
        "texts of different length",
        "PEERS 2.1",
        "which FLUX evaluates in calls of their own",
        plain_conds(negative=longer),
    ),
    Row("a prompt twice", "PEERS 2.2", "two conditionings with the same text", plain_conds(positive=twice)),
    Row("area prompts", "PEERS 2.2", "two halves and the whole, each of its own shape", plain_conds(positive=halves)),
    Row("masked prompts", "PEERS 2.2", "a mask on one of two prompts", plain_conds(positive=masked)),
    Row(
        "scheduled prompts",
        "PEERS 2.2",
        "one prompt for the first half of the steps, another for the second",
        plain_conds(positive=in_parts),
        exact=False,
    ),
    Row("inpaint mask", "PEERS 2.15", "half of the latent is kept", plain_conds(mask=latent_mask)),
    Row("differential diffusion", "PEERS 2.15", "the mask changes with the step", differential),
    Row(
        "skip layer guidance",
        "H5",
        "a third call, with a layer left out, on the positive prompt's uuid",
        skipped_layers,
        absent=NOT_SKIPPABLE,
    ),
    Row(
        "perturbed attention guidance",
        "H5",
        "a third call, with attention replaced",
        perturbed_attention,
        absent=dict.fromkeys(
            ("FLUX", "HunyuanVideo", "Wan", "SD3"),
            "core's node patches the middle block of a U-Net; transformers have none",
        ),
    ),
    Row(
        "ControlNet", "PEERS 2.8", "residuals for every block, from the first step on", control(1.0), absent=NO_CONTROL
    ),
    Row("ControlNet from 40 % on", "PEERS 2.8", "and none before", control(0.6), absent=NO_CONTROL),
    Row("context windows, static", "H6", "two windows a step, fused", windows("standard_static"), absent=NO_FRAMES),
    Row(
        "context windows, moving",
        "H6",
        "other windows at every step",
        windows("standard_uniform"),
        absent=NO_FRAMES,
        exact=False,
    ),
    Row("PerpNeg guider", "H5", "three conditionings, combined across", perp_neg),
    Row("DualCFG guider", "H5", "three conditionings, two guidances", dual),
    Row("Basic guider", "HOOKS 5", "one conditioning, without guidance", basic),
)

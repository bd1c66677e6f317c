"""The demo's sampling inside a real ComfyUI: its model class, its KSampler, and this pack's nodes."""

import atexit
import importlib.util
import logging
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from cache_core import RunReport

from .condition import UNCONDITIONAL, condition
from .families import FLUX, Family
from .flux import Flux, FluxConfig
from .rows import Setting, seeds_of
from .sample import load, noise_of
from .scenes import CLASSES

ROOT = Path(__file__).resolve().parent.parent
FIRST = 1000  # seed of the picture that is learned from


def import_comfyui(folder: Path) -> None:
    """Make `comfy` of the checkout `folder` importable, on the CPU. It reads the command line when it is imported."""
    argv, sys.argv = sys.argv, ["main.py", "--cpu", "--use-pytorch-cross-attention"]
    sys.path.insert(0, str(folder))
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.cli_args  # noqa: F401

    sys.argv = argv


def load_pack() -> ModuleType:
    """This pack as ComfyUI loads it: a package named after its folder, wherever that is."""
    spec = importlib.util.spec_from_file_location(
        "feb_ab_cache_pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def comfyui_model(family: Family) -> object:
    """The lab's weights in ComfyUI's own class (a ModelPatcher), with the family's sampling shift.

    ComfyUI's loader takes the HunyuanVideo file as it is. It knows FLUX by the released size only, so that one is
    built as the loader would.
    """
    if family.network is Flux:
        return flux_model(family)
    import comfy.sd
    from comfy_extras.nodes_model_advanced import ModelSamplingSD3

    return ModelSamplingSD3().patch(comfy.sd.load_diffusion_model(str(family.weights)), shift=family.shift)[0]


def flux_model(family: Family = FLUX) -> object:
    """A FLUX of the lab in ComfyUI's class, as its loader would return it."""
    import comfy.ldm.flux.model as source
    import comfy.supported_models
    from comfy import latent_formats, model_management
    from comfy.model_patcher import ModelPatcher

    c = FluxConfig()
    sizes = {
        "image_model": "flux",
        "in_channels": c.channels,
        "out_channels": c.channels,
        "vec_in_dim": c.vector,
        "context_in_dim": c.context,
        "hidden_size": c.hidden,
        "mlp_ratio": float(c.mlp_ratio),
        "num_heads": c.heads,
        "depth": c.depth,
        "depth_single_blocks": c.depth_single,
        "axes_dim": list(c.axes),
        "theta": c.theta,
        "patch_size": c.patch,
        "qkv_bias": True,
        "guidance_embed": False,
        "txt_ids_dims": [],
    }
    known = {f.name for f in fields(source.FluxParams)} | {"image_model"}
    kind = comfy.supported_models.FluxSchnell({key: value for key, value in sizes.items() if key in known})
    kind.set_inference_dtype(torch.float32, None)
    model = kind.get_model({}, "", device=torch.device("cpu"))
    own, lab = model.diffusion_model.state_dict(), load(family)[0].state_dict()
    names = {name: name if name in own else name.removesuffix("scale") + "weight" for name in lab}  # newer versions
    model.diffusion_model.load_state_dict({names[name]: value for name, value in lab.items()})
    model.latent_format = latent_formats.LatentFormat()  # the lab's latents are not those of FLUX's VAE
    model.latent_format.latent_channels = c.channels
    return ModelPatcher(model.eval(), model_management.get_torch_device(), model_management.unet_offload_device())


class ComfySampler:
    """The demo's sampling through ComfyUI's KSampler, with the settings put on this pack's nodes. What they learn is
    kept in a folder of its own, so that each demo starts without plans."""

    def __init__(self, folder: Path, family: Family, steps: int, pictures: int):
        import_comfyui(folder)
        import folder_paths

        plans = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, plans, ignore_errors=True)
        folder_paths.folder_names_and_paths["cache_plans"] = ([plans], {".safetensors"})
        self.nodes, self.patcher = load_pack().NODE_CLASS_MAPPINGS, comfyui_model(family)
        self.family, self.steps, self.seeds = family, steps, seeds_of(family, pictures)

    def first(self, setting: Setting) -> None:
        """The first picture, of a seed that is not compared. A setting that learns has its plan after it."""
        model, _ = applied(self.nodes, self.patcher, setting)
        ksampled(self.family, setting.steps or self.steps, [FIRST])(model)

    def __call__(self, setting: Setting) -> tuple[Tensor, RunReport | None]:
        model, mailbox = applied(self.nodes, self.patcher, setting)
        pictures = ksampled(self.family, setting.steps or self.steps, self.seeds)(model)
        return pictures, mailbox.latest if mailbox else None


def ksampled(family: Family, steps: int, seeds: Sequence[int]):  # noqa: ANN201
    """A function that samples a ComfyUI model of this family through KSampler and returns the pictures of these
    seeds. ComfyUI must be importable."""
    import comfy.samplers

    from .demo import as_pictures

    logging.getLogger().setLevel(logging.WARNING)
    noise, labels = noise_of(list(seeds), family.latents), torch.tensor(seeds) % len(CLASSES)
    width = family.network().config.vector
    positive, negative = _text(labels, width), _text(torch.full_like(labels, UNCONDITIONAL), width)

    def sampled(model: object) -> Tensor:
        worker = comfy.samplers.KSampler(
            model,
            steps=steps,
            device=model.load_device,
            sampler="euler",
            scheduler="simple",
            denoise=1.0,
            model_options=model.model_options,
        )
        latents = worker.sample(
            noise,
            positive,
            negative,
            cfg=family.guidance,
            latent_image=torch.zeros_like(noise),
            disable_pbar=True,
            seed=0,
        )
        return as_pictures(model.model.process_latent_in(latents), family)

    return sampled


def _text(labels: Tensor, width: int) -> list:
    """Class numbers as ComfyUI's CONDITIONING."""
    context, vector = condition(labels, width)
    return [[context, {"pooled_output": vector}]]


def applied(nodes: dict, patcher: object, setting: Setting) -> tuple:
    """The model as the setting's node returns it, and its mailbox. Widgets that the setting does not move: defaults."""
    if setting.node is None:
        return patcher, None
    kind = nodes[setting.node]
    widgets = {
        name: spec[1]["default"]
        for group in kind.INPUT_TYPES().values()
        for name, spec in group.items()
        if "default" in spec[1]
    }
    widgets |= {name: setting.learn for name in widgets if name == "learn"}  # the others are measured as they stand
    return kind().apply(patcher, **{**widgets, "preset": setting.preset, **setting.widgets})[:2]

"""Every sampler of ComfyUI's list with `learn`: does a plan come of it, and how does it compare with the plan that
needs no picture?

    OMP_NUM_THREADS=1 python3 -m lab.samplers --comfyui DIR

The lab's FLUX, 24 steps, scheduler `simple`, cfg 1, preset `auto`: the drift on the picture that is learned from.
Writes lab/results/samplers.json.
"""

import argparse
import json
import logging
import re
import tempfile
from pathlib import Path

import torch

from .condition import UNCONDITIONAL, condition
from .families import FLUX
from .in_comfyui import ROOT, comfyui_model, import_comfyui, load_pack

STEPS = 24
LEARNED = re.compile(r"runs? at (\d+) of \d+ steps; on this picture it is off by ([\d.]+) .*?\), .*? by ([\d.]+)")


def prompt(label: int) -> list:
    """A conditioning for the lab's model."""
    context, vector = condition(torch.tensor([label]))
    return [[context, {"pooled_output": vector}]]


def outcome(pack: object, model: object, sampler: str) -> dict:
    """What came of one picture: computed steps and drifts, or the reason why there is no plan."""
    import comfy.samplers

    node = pack.NODE_CLASS_MAPPINGS["ABCacheApply"]
    cached, mailbox, _ = node().apply(model, "auto")
    noise = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    worker = comfy.samplers.KSampler(
        cached,
        steps=STEPS,
        device=cached.load_device,
        sampler=sampler,
        scheduler="simple",
        model_options=cached.model_options,
    )
    with torch.inference_mode():
        worker.sample(
            noise,
            prompt(1),
            prompt(UNCONDITIONAL),
            cfg=1.0,
            latent_image=torch.zeros_like(noise),
            disable_pbar=True,
            seed=1,
        )
    said = " ".join(mailbox.latest.notes)
    found = LEARNED.search(said)
    if found is not None:
        return {"computed": int(found[1]), "plan": float(found[2]), "unlearned": float(found[3])}
    shared = "the function of a sampler above under another name: its plan is used"
    reason = next((note for note in mailbox.latest.notes if "no plan" in note), shared)
    return {
        "reason": re.sub(
            r"^no plan was learned, .*?: |: the widgets count$|no plan is learned with \S+, which ", "", reason
        )
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--comfyui", type=Path, required=True, help="a ComfyUI checkout")
    import_comfyui(parser.parse_args().comfyui)
    import comfy.samplers
    import comfyui_version
    import folder_paths

    pack, model, rows = load_pack(), comfyui_model(FLUX), {}
    logging.getLogger("feb_ab_cache").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as plans:
        folder_paths.folder_names_and_paths["cache_plans"] = ([plans], {".safetensors"})
        for sampler in comfy.samplers.KSampler.SAMPLERS:
            rows[sampler] = outcome(pack, model, sampler)
            print(f"{sampler:28}", *rows[sampler].values(), flush=True)
    found = {"comfyui": comfyui_version.__version__, "steps": STEPS, "samplers": rows}
    (ROOT / "lab" / "results" / "samplers.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

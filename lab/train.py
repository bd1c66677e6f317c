"""Train a lab model by rectified flow on procedural scenes, or on drawings.

    python3 -m lab.train --minutes 80                          (two CPU cores; minutes on an accelerator)
    python3 -m lab.train --model hunyuan_video --batch 16
    python3 -m lab.train --model flux_drawings --batch 32 --compile --minutes 60    (lab.drawings says what it needs)
    python3 -m lab.train --model minimax_h3 --batch 32 --compile    (video and sound, whose losses count alike)

HunyuanVideo starts from the FLUX weights, as video models start from those of image models; so does the FLUX of
drawings. The learning rate follows
the fraction of the time spent, so a busy machine trains less, not differently. The averaged weights are saved every
two minutes: an interrupted run leaves a usable model.
"""

import argparse
import copy
import json
import time

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from . import packed
from .codec import encode
from .condition import UNCONDITIONAL, condition
from .decoder import compressed
from .drawings import album
from .families import DRAWINGS, FLUX, HUNYUAN_VIDEO, MINIMAX_H3, TRAINED, Family
from .minimax_h3 import MiniMaxH3
from .sample import load, shifted_sigma
from .scenes import CLASSES, film


def initialise(model: nn.Module) -> None:
    """Gates and the last layer start at zero, so that each block starts as the identity (adaLN-Zero, Peebles and Xie
    2023)."""
    for name, parameter in model.named_parameters():
        if name.endswith(
            (
                ".lin.weight",
                ".lin.bias",
                "adaLN_modulation.1.weight",
                "adaLN_modulation.1.bias",
                "final_layer.linear.weight",
                "adaln_proj.linear.weight",
                "adaln_proj.linear.bias",
                "video_out.weight",
                "audio_out.weight",
            )
        ):
            nn.init.zeros_(parameter)
        elif parameter.ndim >= 2:
            nn.init.xavier_uniform_(parameter.flatten(1))
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


def optimisers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for the rest."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and ("_blocks." in n or n.startswith("blocks."))]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=3e-3, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=2e-3, weight_decay=0.0, betas=(0.9, 0.99)),
    ]


def clean_latents(family: Family, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Latents of scenes or drawings, `(B, *family.latents)`."""
    if family is MINIMAX_H3:
        return packed.encode(*packed.drawn(labels, generator))
    if family is DRAWINGS:
        return compressed(album().of(labels, generator))
    return encode(film(labels, generator, family.frames)).view(len(labels), *family.latents)


def batch(family: Family, size: int, generator: torch.Generator, device: str) -> tuple[Tensor, ...]:
    """Clean latents, noise, times `(B,)` and labels, one in ten without its class."""
    labels = torch.randint(len(CLASSES), (size,), generator=generator)
    clean = clean_latents(family, labels, generator)
    noise = torch.randn(clean.shape, generator=generator)
    times = torch.sigmoid(torch.randn(size, generator=generator) * 1.2)
    times = shifted_sigma(times, family.trained_shift or family.shift)
    labels = torch.where(torch.rand(size, generator=generator) < 0.1, UNCONDITIONAL, labels)
    return clean.to(device), noise.to(device), times.to(device), labels.to(device)


def losses_of(model: nn.Module, clean: Tensor, noise: Tensor, times: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error of the velocity `noise - clean` at `(1 - t) clean + t noise` (Liu et al. 2022), `(1,)`; or
    `(2,)`, those of video and sound, where t is each one's own."""
    context, vector = condition(labels, model.config.vector)
    if isinstance(model, MiniMaxH3):
        t, sizes = model.sigmas(times), packed.SIZES
    else:
        t, sizes = times.view(-1, *[1] * (clean.ndim - 1)), clean.shape[-1:]
    x = (1 - t) * clean + t * noise
    with torch.autocast(clean.device.type, torch.bfloat16):
        out = model.streams(x, times, context) if isinstance(model, MiniMaxH3) else model(x, times, context, vector)
    errors = (out.float() - (noise - clean)).square()
    return torch.stack([part.mean() for part in errors.split(tuple(sizes), -1)])


def rate(progress: float, step: int, warm: int = 200) -> float:
    """Warm-up over `warm` steps, flat until 40 % of the run, then linear to 2 %."""
    return min(1.0, (step + 1) / warm, max(0.02, (1 - progress) / 0.6))


@torch.no_grad()
def average(mean: nn.Module, model: nn.Module, step: int) -> None:
    """Exponential moving average over about 500 steps, shorter at the start."""
    weight = max(1 / 500, 1 / (step / 10 + 1))
    for slow, fast in zip(mean.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, weight)


def save(family: Family, model: nn.Module, facts: dict) -> None:
    family.weights.parent.mkdir(exist_ok=True)
    save_file(
        {k: v.half().cpu().contiguous() for k, v in model.state_dict().items()},
        family.weights,
        {"training": json.dumps(facts)},
    )


def facts(step: int, size: int, losses: Tensor, seed: int, before: int) -> dict:
    """A training so far, for the weights' file. `before`: steps of the trainings that it goes on from."""
    shown = [round(float(loss), 4) for loss in losses]
    own = {"steps": step, "batch": size, "loss": shown if len(shown) > 1 else shown[0], "seed": seed}
    return {**own, "before": before} if before else own


def steps_of(family: Family) -> int:
    """Steps of all trainings of the saved weights."""
    known = load(family)[1]
    return known.get("steps", 0) + known.get("before", 0)


@torch.no_grad()
def inherit(model: nn.Module) -> None:
    """Give a model what the trained FLUX knows: the same blocks; where a layer of a video model is wider, its first
    inputs."""
    known = {name: value.float() for name, value in load_file(FLUX.weights).items()}
    for name in list(known):
        known[name.replace("img_in.", "img_in.proj.").replace("txt_in.", "txt_in.input_embedder.")] = known[name]
    for name, parameter in model.named_parameters():
        if name in known:
            flat, value = parameter.flatten(1) if parameter.ndim > 1 else parameter, known[name]
            flat.zero_()[..., : value.shape[-1]] = value


def begin(family: Family, resume: bool, device: str) -> nn.Module:
    """A fresh model, or the saved one."""
    model = family.network()
    initialise(model)
    if resume:
        model.load_state_dict({key: value.float() for key, value in load_file(family.weights).items()})
    elif family in (DRAWINGS, HUNYUAN_VIDEO):
        inherit(model)
    return model.to(device)


def fuse(model: nn.Module) -> None:
    """Compile the model's blocks: on a CPU, a step takes less than half the time."""
    for blocks in (part for part in model.children() if isinstance(part, nn.ModuleList)):
        for block in blocks:
            block.compile()
    torch.backends.cuda.enable_flash_sdp(False)  # on a CPU, too, where its way back is slow for short sequences


def train(family: Family, minutes: float, size: int, seed: int, device: str, resume: bool, fused: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = begin(family, resume, device)
    before = steps_of(family) if resume else 0
    mean, tools = copy.deepcopy(model), optimisers(model)
    if fused:
        fuse(model)
    rates = [o.param_groups[0]["lr"] for o in tools]
    warm = 40 if family is DRAWINGS else 200  # that one starts near, and has few steps
    start, saved, step, smooth = time.time(), time.time(), 0, torch.ones(1)
    while (progress := (time.time() - start) / (60 * minutes)) < 1:
        for tool, base in zip(tools, rates, strict=True):
            tool.param_groups[0]["lr"] = base * rate(progress, step, warm)
        losses = losses_of(model, *batch(family, size, generator, device))
        losses.mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for tool in tools:
            tool.step()
            tool.zero_grad()
        average(mean, model, step)
        smooth = smooth + (losses.detach().cpu() - smooth) * max(0.01, 1 / (step + 1))
        step += 1
        if step % 50 == 0:
            shown = " ".join(f"{loss:.4f}" for loss in smooth)
            print(f"step {step}  loss {shown}  {(time.time() - start) / step:.2f} s/step  {progress:.0%}", flush=True)
        if time.time() - saved > 120:
            save(family, mean, facts(step, size, smooth, seed, before))
            saved = time.time()
    save(family, mean, facts(step, size, smooth, seed, before))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=TRAINED, default=FLUX.name)
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true", help="go on from the saved weights, with a new seed")
    parser.add_argument("--compile", action="store_true", help="compile the blocks, which needs a C++ compiler")
    args = parser.parse_args()
    train(TRAINED[args.model], args.minutes, args.batch, args.seed, args.device, args.resume, args.compile)

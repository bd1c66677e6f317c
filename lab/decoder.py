"""The code of drawings: the lab's linear one (lab.codec), and a small network that draws its edges anew.

The linear code keeps 16 of the 48 numbers of each cell of 4 x 4, which blurs an edge between two colours. The network
sees the neighbouring cells and adds what is missing. Train it, about ten minutes on one CPU core:

    python3 -m lab.decoder --minutes 10
"""

import argparse
import json
import time
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .codec import decode, encode
from .drawings import album

WEIGHTS = Path(__file__).parent / "weights" / "flux_drawings_decoder.safetensors"
# mean and standard deviation to the power 3/4 of each coefficient of lab.codec over the drawings, in its units
MEANS = (2.31, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.32, 0.0, 0.0, 0.23, 0.0, 0.0)
SCALES = (1.28, 2.24, 3.93, 4.95, 2.5, 3.8, 5.31, 4.68, 5.93, 5.52, 0.89, 1.35, 1.53, 0.85, 1.27, 1.48)


def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(-1, 1, 1)


def compressed(pictures: Tensor) -> Tensor:
    """Latents `(B, 16, H/4, W/4)` of pictures `(B, 3, H, W)` in [-1, 1]."""
    latents = encode(pictures)
    return (latents - _column(MEANS, latents)) / _column(SCALES, latents)


def linear(latents: Tensor) -> Tensor:
    """Pictures `(B, 3, 4H, 4W)` of latents `(B, 16, H, W)` by the linear code alone."""
    return decode(latents * _column(SCALES, latents) + _column(MEANS, latents))


class Residual(nn.Module):
    """Two convolutions of `width` channels beside the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class Decoder(nn.Module):
    """Pictures `(B, 3, 4H, 4W)` of latents `(B, 16, H, W)`: the linear code's, and a correction of convolutions."""

    def __init__(self, wide: int = 96, narrow: int = 32):
        super().__init__()
        self.begin = nn.Conv2d(16, wide, 3, padding=1)
        self.coarse = nn.Sequential(Residual(wide), Residual(wide))
        self.grow = nn.Conv2d(wide, 4 * narrow, 1)
        self.fine = Residual(narrow)
        self.end = nn.Conv2d(narrow, 12, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        x = F.pixel_shuffle(self.grow(self.coarse(self.begin(latents))), 2)
        return linear(latents) + F.pixel_shuffle(self.end(F.silu(self.fine(x))), 2)


@cache
def decoder() -> Decoder:
    """The trained network, in float32."""
    network = Decoder()
    network.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return network.eval().requires_grad_(False)


@torch.no_grad()
def drawing(latents: Tensor) -> Tensor:
    """Pictures `(B, 3, 4H, 4W)` of latents `(B, 16, H, W)`, with clear edges."""
    return decoder().to(latents.device)(latents)


def loss_of(found: Tensor, pictures: Tensor) -> Tensor:
    """Mean absolute error of values and, as much again, of the steps between neighbours, which are the edges."""
    across, down = (F.l1_loss(found.diff(dim=dim), pictures.diff(dim=dim)) for dim in (-1, -2))
    return F.l1_loss(found, pictures) + across + down


def train(minutes: float, size: int, seed: int) -> None:
    torch.manual_seed(seed)
    generator, network = torch.Generator().manual_seed(seed), Decoder()
    nn.init.zeros_(network.end.weight)
    tool = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.0, betas=(0.9, 0.99))
    start, saved, step, smooth = time.time(), time.time(), 0, 0.0
    while (progress := (time.time() - start) / (60 * minutes)) < 1:
        tool.param_groups[0]["lr"] = 2e-3 * min(1.0, (step + 1) / 100, max(0.02, (1 - progress) / 0.7))
        pictures = album().of(torch.randint(12, (size,), generator=generator), generator)
        latents = compressed(pictures)
        # a sampled latent is not a clean one: what is left of noise is drawn as flat, not as grain
        noise = torch.randn(latents.shape, generator=generator) * 0.15 * torch.rand(size, 1, 1, 1, generator=generator)
        loss = loss_of(network(latents + noise), pictures)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        tool.step()
        tool.zero_grad()
        smooth += (float(loss) - smooth) * max(0.01, 1 / (step + 1))
        step += 1
        if step % 50 == 0:
            print(
                f"step {step}  loss {smooth:.4f}  {(time.time() - start) / step:.2f} s/step  {progress:.0%}", flush=True
            )
        if time.time() - saved > 120:
            save(network, step, size, smooth, seed)
            saved = time.time()
    save(network, step, size, smooth, seed)


def save(network: nn.Module, step: int, size: int, loss: float, seed: int) -> None:
    facts = {"steps": step, "batch": size, "loss": round(loss, 4), "seed": seed}
    save_file({k: v.half() for k, v in network.state_dict().items()}, WEIGHTS, {"training": json.dumps(facts)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    train(args.minutes, args.batch, args.seed)

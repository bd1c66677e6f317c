"""The lab's stand-in for a VAE: a fixed linear code of 64 x 64 pictures as 16 x 16 latents of 16 channels.

Each 4 x 4 cell is turned to YCbCr and a type-II cosine basis; kept are the luma coefficients with i + j <= 3 and the
chroma ones with i + j <= 1, that is 10 + 3 + 3 = 16. Linear and deterministic, so an error in latents is an error in
pictures.
"""

import math
from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor

CELL, CHANNELS = 4, 16
# Standard deviation of each coefficient over 4,096 scenes, to the power 3/4: the model sees every band, and still sees
# that the low ones matter more. Printed by `python3 -m lab.codec`.
SCALES = (1.571, 0.313, 0.093, 0.045, 0.287, 0.108, 0.05, 0.083, 0.045, 0.043, 1.583, 0.322, 0.293, 1.596, 0.32, 0.292)


def cosine_basis(size: int = CELL) -> Tensor:
    """Orthonormal type-II cosine basis, `(size, size)`: row = frequency, column = place."""
    place, frequency = torch.arange(size) + 0.5, torch.arange(size)[:, None]
    basis = torch.cos(math.pi / size * frequency * place) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis


def _colour_basis() -> Tensor:
    """Orthonormal luma, blue-yellow and red-green axes, `(3, 3)`."""
    axes = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, 2.0], [1.0, -1.0, 0.0]])
    return axes / axes.norm(dim=1, keepdim=True)


def _code() -> Tensor:
    """`(16, 48)` with orthonormal rows: cell values (colour, row, column) to kept coefficients."""
    cosine, colour, rows = cosine_basis(), _colour_basis(), []
    for axis, reach in ((0, 3), (1, 1), (2, 1)):
        for i in range(CELL):
            for j in range(CELL):
                if i + j <= reach:
                    rows.append(torch.einsum("c,h,w->chw", colour[axis], cosine[i], cosine[j]).flatten())
    return torch.stack(rows)


_CODE = _code()


def _scales(like: Tensor) -> Tensor:
    return torch.tensor(SCALES, dtype=like.dtype, device=like.device)


def _framewise(code: Callable[[Tensor], Tensor], clips: Tensor) -> Tensor:
    frames = code(rearrange(clips, "b c t h w -> (b t) c h w"))
    return rearrange(frames, "(b t) c h w -> b c t h w", b=len(clips))


def encode(pictures: Tensor) -> Tensor:
    """Latents `(B, 16, H/4, W/4)` of pictures `(B, 3, H, W)`, or of clips with a frame axis after the channels,
    frame by frame."""
    if pictures.ndim == 5:
        return _framewise(encode, pictures)
    cells = rearrange(pictures, "b c (h p) (w q) -> b h w (c p q)", p=CELL, q=CELL)
    return rearrange(cells @ _CODE.to(cells).T / _scales(cells), "b h w c -> b c h w")


def decode(latents: Tensor) -> Tensor:
    """Pictures `(B, 3, 4H, 4W)` of latents `(B, 16, H, W)`, or clips; `decode(encode(p))` is p without its finest
    detail."""
    if latents.ndim == 5:
        return _framewise(decode, latents)
    cells = rearrange(latents, "b c h w -> b h w c")
    return rearrange(
        (cells * _scales(cells)) @ _CODE.to(cells), "b h w (c p q) -> b c (h p) (w q)", c=3, p=CELL, q=CELL
    )


if __name__ == "__main__":
    from .scenes import CLASSES, draw

    labels = torch.arange(4096) % len(CLASSES)
    latents = encode(draw(labels, torch.Generator().manual_seed(0))) * torch.tensor(SCALES).view(1, -1, 1, 1)
    print("SCALES =", tuple(round(float(s) ** 0.75, 3) for s in latents.std((0, 2, 3))))

"""Pictures side by side, a column for each way to make them, a row for each seed."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

CELL, GAP, LABEL = 256, 6, 34  # pixels: width of a picture, space around it, height of the words above
PAPER, INK = "#ffffff", "#20242b"


def grid(columns: Sequence[Tensor], labels: Sequence[str]) -> Tensor:
    """Columns of pictures `(N, H, W, 3)` in [0, 1] of one size, with words above each: `(1, height, width, 3)`."""
    from PIL import Image, ImageDraw

    cells = [_cells(column) for column in columns]
    high, wide = cells[0].shape[1:3]
    size = (GAP + len(cells) * (wide + GAP), LABEL + len(cells[0]) * (high + GAP))
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    for place, (column, label) in enumerate(zip(cells, labels, strict=True)):
        left = GAP + place * (wide + GAP)
        draw.text((left, 4), label, fill=INK)
        for row, cell in enumerate(column):
            image.paste(Image.fromarray(cell), (left, LABEL + row * (high + GAP)))
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)[None]


def _cells(pictures: Tensor) -> np.ndarray:
    """Pictures as bytes `(N, h, CELL, 3)`."""
    height = max(1, round(CELL * pictures.shape[1] / pictures.shape[2]))
    scaled = interpolate(pictures.float().cpu().movedim(-1, 1), (height, CELL), mode="bilinear", antialias=True)
    return (scaled.movedim(1, -1).clamp(0, 1) * 255).round().numpy().astype(np.uint8)

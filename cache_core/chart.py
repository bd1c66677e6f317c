"""Curves over the steps of a sampling, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH, HEIGHT, STRIP = 900, 280, 46
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 54, 34
PAPER, INK, FAINT = "#ffffff", "#20242b", "#d5d9e0"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")  # told apart by colour-blind readers, too (Okabe and Ito)
DASHES = (0, 9, 4, 14, 6)  # and without any colour


@dataclass(frozen=True)
class Panel:
    """Curves by name, one value for each step; `log`: a logarithmic axis, on which zeros are left out."""

    title: str
    curves: dict[str, Sequence[float]]
    log: bool = False


@dataclass(frozen=True)
class Strip:
    """Which of `steps` steps are computed."""

    title: str
    computed: Sequence[int]
    steps: int


def picture(parts: Sequence[Panel | Strip]) -> Tensor:
    """The parts, one below the other: `(1, H, 900, 3)` in [0, 1], as ComfyUI's IMAGE."""
    from PIL import Image, ImageDraw

    drawn = {Panel: (HEIGHT, _panel), Strip: (STRIP, _strip)}
    image = Image.new("RGB", (WIDTH, 16 + sum(drawn[type(part)][0] for part in parts)), PAPER)
    draw, top = ImageDraw.Draw(image), 8
    for part in parts:
        height, paint = drawn[type(part)]
        paint(draw, part, top)
        top += height
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)[None]


def _text(draw: ImageDraw, place: tuple[float, float], text: str, anchor: str = "la", fill: str = INK, size: int = 13) -> None:
    from PIL import ImageFont

    draw.text(place, text, fill, ImageFont.load_default(size), anchor)


def _strip(draw: ImageDraw, strip: Strip, top: int) -> None:
    _text(draw, (LEFT, top), strip.title)
    width = (WIDTH - LEFT - RIGHT) / strip.steps
    for step in range(strip.steps):
        left, on = LEFT + step * width, step in strip.computed
        box = (left + 1, top + 20, left + width - 1, top + 34) if on else (left + 1, top + 26, left + width - 1, top + 28)
        draw.rectangle(box, COLOURS[0] if on else FAINT)


def _panel(draw: ImageDraw, panel: Panel, top: int) -> None:
    _text(draw, (LEFT, top + 2), panel.title, size=15)
    values = [v for curve in panel.curves.values() for v in curve if isfinite(v) and (v > 0 or not panel.log)]
    steps = max(map(len, panel.curves.values()), default=0)
    if not values or steps < 2:
        _text(draw, (LEFT, top + TOP), "nothing to show")
        return
    low, high = limits(values, panel.log)
    bottom, upper = top + HEIGHT - BOTTOM, top + TOP

    def place(step: int, value: float) -> tuple[float, float]:
        share = (_scaled(value, panel.log) - low) / (high - low)
        return LEFT + step / (steps - 1) * (WIDTH - LEFT - RIGHT), bottom - share * (bottom - upper)

    for tick in ticks(low, high, panel.log):
        y = place(0, 10**tick if panel.log else tick)[1]
        draw.line((LEFT, y, WIDTH - RIGHT, y), FAINT)
        _text(draw, (LEFT - 6, y), f"{10**tick if panel.log else tick:.3g}", "rm", size=12)
    for step in range(0, steps, max(1, round(steps / 10))):
        _text(draw, (place(step, values[0])[0], bottom + 5), str(step), "ma", size=12)
    _text(draw, (WIDTH - RIGHT, bottom + 19), "step", "ra", size=12)
    for index, (name, curve) in enumerate(panel.curves.items()):
        points = [place(step, v) for step, v in enumerate(curve) if isfinite(v) and (v > 0 or not panel.log)]
        _line(draw, points, index)
        _legend(draw, name, index, list(panel.curves), top)


def _line(draw: ImageDraw, points: list[tuple[float, float]], index: int) -> None:
    """A line, dashed by its index."""
    dash, along = DASHES[index % len(DASHES)], 0.0
    for (x, y), (x2, y2) in zip(points, points[1:], strict=False):
        pieces = max(1, round(((x2 - x) ** 2 + (y2 - y) ** 2) ** 0.5 / 2))
        for piece in range(pieces):
            if not dash or int(along / dash) % 2 == 0:
                a, b = piece / pieces, (piece + 1) / pieces
                draw.line((x + a * (x2 - x), y + a * (y2 - y), x + b * (x2 - x), y + b * (y2 - y)), COLOURS[index % len(COLOURS)], 2)
            along += 2


def _legend(draw: ImageDraw, name: str, index: int, names: list[str], top: int) -> None:
    left = LEFT + sum(46 + 7.2 * len(other) for other in names[:index])
    _line(draw, [(left, top + 36), (left + 28, top + 36)], index)
    _text(draw, (left + 33, top + 36), name, "lm", size=12)


def _scaled(value: float, log: bool) -> float:
    return log10(value) if log else value


def limits(values: Sequence[float], log: bool) -> tuple[float, float]:
    """Lower and upper end of an axis for these values, as exponents of ten where it is logarithmic."""
    low, high = (_scaled(end(values), log) for end in (min, max))
    room = 0.05 * (high - low) or 0.5 * abs(high) or 0.5
    return low - room, high + room


def ticks(low: float, high: float, log: bool) -> list[float]:
    """Two to seven round values in an axis; whole exponents where it is logarithmic and they suffice."""
    if log and floor(high) - floor(low) >= 2:
        return [float(n) for n in range(floor(low) + 1, floor(high) + 1)]
    step = 10 ** floor(log10((high - low) / 2))
    step = next(step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6)
    return [n * step for n in range(int(-(-low // step)), int(high // step) + 1)]

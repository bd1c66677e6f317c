"""Pictures of the steps of a sampling, and of curves over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .states import COLOURS, COMPUTED, PREDICTED, RESTING, REUSED, WORDS

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH, HEIGHT, STRIP, ROW = 900, 280, 78, 20
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 54, 34
PAPER, INK, FAINT = "#ffffff", "#20242b", "#d5d9e0"
CURVES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")  # Okabe and Ito's, for colour-blind readers, too
DASHES = (0, 9, 4, 14, 6)  # of the curves, to tell them apart without any colour; pixels
CELL = 22  # height of a computed step, in pixels


@dataclass(frozen=True)
class Panel:
    """Curves by name, one value for each step.

    `log`: a logarithmic axis, without the values that are not above 0. `unit`: of the steps. `start`: number of the
    first one.
    """

    title: str
    curves: dict[str, Sequence[float]]
    log: bool = False
    unit: str = "step"
    start: int = 0


@dataclass(frozen=True)
class Strip:
    """State of each step, as `timeline.done` has it; None where it was not reached.

    `boundary`: first step of the low-noise stage.
    """

    title: str
    states: Sequence[str | None]
    boundary: int | None = None


Drawing = Panel | Strip | str  # a string is a line of text


def lines(text: str) -> list[str]:
    """Lines of text, short enough for the picture."""
    return wrap(text, 110)


def picture(parts: Sequence[Drawing]) -> Tensor:
    """Picture of the parts, one below the other: `(1, H, 900, 3)` in [0, 1], as ComfyUI's IMAGE."""
    from PIL import Image, ImageDraw

    drawn: dict[type, tuple[int, Callable]] = {
        Panel: (HEIGHT, _panel),
        Strip: (STRIP, _strip),
        str: (ROW, _line_of_text),
    }
    image = Image.new("RGB", (WIDTH, 16 + sum(drawn[type(part)][0] for part in parts)), PAPER)
    draw, top = ImageDraw.Draw(image), 8
    for part in parts:
        height, paint = drawn[type(part)]
        paint(draw, part, top)
        top += height
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)[None]


def _text(
    draw: ImageDraw, place: tuple[float, float], text: str, anchor: str = "la", fill: str = INK, size: int = 13
) -> None:
    from PIL import ImageFont

    draw.text(place, text, fill, ImageFont.load_default(size), anchor)


def _line_of_text(draw: ImageDraw, text: str, top: int) -> None:
    _text(draw, (LEFT, top), text)


def _strip(draw: ImageDraw, strip: Strip, top: int) -> None:
    _text(draw, (LEFT, top + 4), strip.title, size=15)
    _key(draw, strip, top + 6)
    steps, bottom = len(strip.states), top + 28 + CELL
    width = (WIDTH - LEFT - RIGHT) / max(1, steps)
    for step, state in enumerate(strip.states):
        _cell(draw, state, (LEFT + step * width + 1, LEFT + (step + 1) * width - 1), bottom, CELL)
    if strip.boundary is not None:
        _boundary(draw, LEFT + strip.boundary * width, bottom, CELL)
    for step in range(0, steps, max(1, round(steps / 10))):
        _text(draw, (LEFT + (step + 0.5) * width, bottom + 4), str(step), "ma", size=12)


def _cell(draw: ImageDraw, state: str | None, across: tuple[float, float], bottom: float, height: float) -> None:
    """One step: computed full, reused low and hatched, predicted low and hollow, resting a line, unknown a dot.

    `across`: left and right end, in pixels.
    """
    (left, right), middle = across, bottom - height / 2
    if state == COMPUTED:
        draw.rectangle((left, bottom - height, right, bottom), COLOURS[state])
    elif state == REUSED:
        draw.rectangle((left, bottom - 2, right, bottom), COLOURS[state])
        for shift in range(0, int(right - left), 4):
            reach = min(height / 2, right - left - shift)
            draw.line((left + shift, bottom, left + shift + reach, bottom - reach), COLOURS[state])
    elif state == PREDICTED:
        draw.rectangle((left, middle, right, bottom), outline=COLOURS[state], width=2)
    elif state == RESTING:
        draw.rectangle((left, bottom - 1, right, bottom), INK)
    else:
        draw.ellipse(((left + right) / 2 - 1, middle - 1, (left + right) / 2 + 1, middle + 1), INK)


def _boundary(draw: ImageDraw, x: float, bottom: float, height: float) -> None:
    draw.line((x, bottom - height - 3, x, bottom + 3), INK, 2)


def _key(draw: ImageDraw, strip: Strip, top: int) -> None:
    """Names of the shapes, with their counts, from the right end of the title's line to the left."""
    right, bottom, height = float(WIDTH - RIGHT), top + 13, 12
    if strip.boundary is not None:
        right = _meaning(draw, f"low noise from step {strip.boundary}", right, top)
        _boundary(draw, right - 4, bottom, height)
        right -= 24
    for state, count in reversed(Counter(strip.states).items()):
        right = _meaning(draw, f"{WORDS.get(state, state)} {count}", right, top)
        _cell(draw, state, (right - 14, right - 2), bottom, height)
        right -= 34


def _meaning(draw: ImageDraw, text: str, right: float, top: int) -> float:
    """Write `text` to the left of the pixel `right`. Returns the pixel at which it begins, less a little room."""
    from PIL import ImageFont

    _text(draw, (right, top), text, "ra", size=12)
    return right - ImageFont.load_default(12).getlength(text) - 3


def _panel(draw: ImageDraw, panel: Panel, top: int) -> None:
    _text(draw, (LEFT, top + 2), panel.title, size=15)
    curves = {name: drawable(curve, panel.log) for name, curve in panel.curves.items()}
    values = [value for points in curves.values() for _, value in points]
    if not values:
        _text(draw, (LEFT, top + TOP), "nothing to show")
        return
    axes = Axes(max(map(len, panel.curves.values())), *limits(values), top, panel.log)
    axes.draw(draw, panel.unit, panel.start)
    for index, (name, points) in enumerate(curves.items()):
        _line(draw, [axes.place(*point) for point in points], index)
        _legend(draw, name, index, list(curves), top)


@dataclass(frozen=True)
class Axes:
    """Axes of a panel. `low`, `high`: ends of the values, exponents of ten if `log`. `top`: of the panel, in pixels."""

    steps: int
    low: float
    high: float
    top: int
    log: bool

    def place(self, step: float, value: float) -> tuple[float, float]:
        """x and y of a value at a step, in pixels."""
        across, up = (step + 0.5) / max(1, self.steps), (value - self.low) / (self.high - self.low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), self.top + HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)

    def draw(self, draw: ImageDraw, unit: str, start: int) -> None:
        """The drawing on the picture, from row `top` on."""
        for tick in ticks(self.low, self.high, self.log):
            y = self.place(0, tick)[1]
            draw.line((LEFT, y, WIDTH - RIGHT, y), FAINT)
            _text(draw, (LEFT - 6, y), f"{10**tick if self.log else tick:.3g}", "rm", size=12)
        bottom = self.top + HEIGHT - BOTTOM
        for step in range(0, self.steps, max(1, round(self.steps / 10))):
            _text(draw, (self.place(step, 0)[0], bottom + 5), str(start + step), "ma", size=12)
        _text(draw, (WIDTH - RIGHT, bottom + 19), unit, "ra", size=12)


def _line(draw: ImageDraw, points: list[tuple[float, float]], index: int) -> None:
    """A line through the points, in the colour and the dashes of the curve number `index`."""
    dash, along = DASHES[index % len(DASHES)], 0.0
    for (x, y), (x2, y2) in zip(points, points[1:], strict=False):
        pieces = max(1, round(((x2 - x) ** 2 + (y2 - y) ** 2) ** 0.5 / 2))
        for piece in range(pieces):
            if not dash or int(along / dash) % 2 == 0:
                a, b = piece / pieces, (piece + 1) / pieces
                ends = (x + a * (x2 - x), y + a * (y2 - y), x + b * (x2 - x), y + b * (y2 - y))
                draw.line(ends, CURVES[index % len(CURVES)], 2)
            along += 2


def _legend(draw: ImageDraw, name: str, index: int, names: list[str], top: int) -> None:
    from PIL import ImageFont

    left = LEFT + sum(50 + ImageFont.load_default(12).getlength(other) for other in names[:index])
    _line(draw, [(left, top + 36), (left + 28, top + 36)], index)
    _text(draw, (left + 33, top + 36), name, "lm", size=12)


def drawable(curve: Sequence[float], log: bool) -> list[tuple[int, float]]:
    """Steps and values of a curve that an axis can show; values as exponents of ten if it is logarithmic."""
    points = [(step, value) for step, value in enumerate(curve) if isfinite(value) and (value > 0 or not log)]
    return [(step, log10(value)) for step, value in points] if log else points


def limits(values: Sequence[float]) -> tuple[float, float]:
    """Lower and upper end of an axis for these values."""
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.5 * abs(high) or 0.5
    return low - room, high + room


def ticks(low: float, high: float, log: bool) -> list[float]:
    """Two to seven round values of an axis; whole exponents if it is logarithmic and spans at least two."""
    if log and floor(high) - floor(low) >= 2:
        return [float(n) for n in range(floor(low) + 1, floor(high) + 1)]
    step = 10 ** floor(log10((high - low) / 2))
    step = next(step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6)
    return [n * step for n in range(int(-(-low // step)), int(high // step) + 1)]

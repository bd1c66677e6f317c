"""Picture of the spectra of two sounds over time, and of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .sound import STEP, WINDOW, magnitudes

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

ROWS, COLUMNS = 180, 800  # of a panel, in pixels
LEFT, RIGHT, TITLE, BOTTOM = 80, 20, 36, 34  # beside the panels, above each one, and below the last one, in pixels
WIDTH = LEFT + COLUMNS + RIGHT
PAPER, INK, SIZE = "#181a1f", "#dde1e8", 20  # dark, as what is silent; letters to be read at half size, too
DEPTH, MOST = 80.0, 20.0  # dB: shown below the loudest place of both; of difference, either way
FREQUENCIES = {100: "100 Hz", 1000: "1 kHz", 10000: "10 kHz"}
KEY, KEY_AT = (110, 14), WIDTH - RIGHT - 110 - 44  # size of a panel's key, and its left end, in pixels
# sRGB, as far from one to the next as the eye sees it: black, purple, red, orange, pale yellow
HEAT = ("#000004", "#1c1044", "#4f127b", "#812581", "#b5367a", "#e55064", "#fb8761", "#fec287", "#fcfdbf")
SIGNED = ("#56b4e9", "#0072b2", "#101418", "#d55e00", "#f0c05a")  # quieter, the same, louder


def coloured(values: Tensor, colours: Sequence[str]) -> Tensor:
    """Colours of `values`, 0 to 1 from the first to the last of `colours`, evenly between: `(..., 3)`, 0 to 255."""
    stops = torch.tensor([[*bytes.fromhex(colour[1:])] for colour in colours], dtype=torch.float64)
    at = values.double().clamp(0, 1) * (len(stops) - 1)
    low = at.long().clamp(max=len(stops) - 2)
    return stops[low].lerp(stops[low + 1], (at - low).unsqueeze(-1))


def levels(sound: Tensor, rate: int) -> Tensor:
    """Power over frequency, high ones on top, and time of a sound `(C, T)`, mean over its channels: `(180, 800)`, dB.

    The rows are spaced as the ear hears (mel), from 0 Hz to half the `rate`. Silence is that of one step of 16 bits.
    """
    power = torch.stack([magnitudes(channel).square() for channel in sound]).mean(0)
    nyquist = rate / 2
    edges = _hertz(torch.linspace(0, _mel(nyquist), ROWS + 1, dtype=torch.float64)) / nyquist
    even = torch.linspace(0, 1, COLUMNS + 1, dtype=torch.float64)
    shown = _means(_means(power, edges).T, even).T.flip(0)
    return 10 * shown.clamp(min=STEP**2 * WINDOW).log10()


def _means(values: Tensor, edges: Tensor) -> Tensor:
    """Means of the rows of `(N, M)` between each two of `edges`, which are shares of N: `(len(edges) - 1, M)`."""
    sums = torch.nn.functional.pad(values.cumsum(0, dtype=torch.float64), (0, 0, 1, 0))
    at = edges * len(values)
    low = at.long().clamp(max=len(values) - 1)
    upto = sums[low].lerp(sums[low + 1], (at - low).unsqueeze(-1))
    return upto.diff(dim=0) / at.diff().unsqueeze(-1)


def _mel(hertz: float) -> float:
    return 2595 * log10(1 + hertz / 700)


def _hertz(mel: Tensor) -> Tensor:
    return 700 * (10 ** (mel / 2595) - 1)


def spectrograms(sound: Tensor, reference: Tensor, rate: int) -> Tensor:
    """Picture of the reference, the sound, and the sound minus the reference, all in dB: `(1, H, 900, 3)` in [0, 1].

    Both sounds are `(C, T)`, `rate` samples in a second.
    """
    from PIL import Image, ImageDraw

    cached, uncached = levels(sound, rate), levels(reference, rate)
    top = max(float(cached.max()), float(uncached.max()))
    panels: list[tuple[str, Tensor, Sequence[str]]] = [
        ("uncached", 1 + (uncached - top) / DEPTH, HEAT),
        ("cached", 1 + (cached - top) / DEPTH, HEAT),
        ("cached minus uncached", 0.5 + (_heard(cached, top) - _heard(uncached, top)) / (2 * MOST), SIGNED),
    ]
    image = Image.new("RGB", (WIDTH, len(panels) * (ROWS + TITLE) + BOTTOM), PAPER)
    draw = ImageDraw.Draw(image)
    for number, (name, values, colours) in enumerate(panels):
        place = TITLE + number * (ROWS + TITLE)
        image.paste(_drawn(values, colours), (LEFT, place))
        image.paste(_drawn(torch.linspace(0, 1, KEY[0]).expand(KEY[1], -1), colours), (KEY_AT, place - 23))
        _words(draw, name, colours, place, rate)
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = (LEFT + share * COLUMNS, image.height - BOTTOM + 6)
        _text(draw, at, f"{share * sound.shape[-1] / rate:.3g} s", "ma" if share < 1 else "ra")
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)[None]


def _heard(level: Tensor, top: float) -> Tensor:
    """Levels in dB, none below what is shown."""
    return level.clamp(min=top - DEPTH)


def _drawn(values: Tensor, colours: Sequence[str]):  # noqa: ANN202 (PIL is imported late)
    from PIL import Image

    return Image.fromarray(coloured(values, colours).round().numpy().astype(np.uint8))


def _words(draw: ImageDraw, name: str, colours: Sequence[str], top: int, rate: int) -> None:
    """The name of a panel, the ends of its key, and its frequencies."""
    low, high = (f"-{DEPTH:.0f} dB", "0") if colours is HEAT else (f"-{MOST:.0f} dB", f"+{MOST:.0f}")
    for x, words, anchor in ((LEFT, name, "lm"), (KEY_AT - 6, low, "rm"), (KEY_AT + KEY[0] + 6, high, "lm")):
        _text(draw, (x, top - 16), words, anchor)
    for frequency, words in FREQUENCIES.items():
        if frequency < rate / 2:
            _text(draw, (LEFT - 6, top + ROWS * (1 - _mel(frequency) / _mel(rate / 2))), words, "rm")


def _text(draw: ImageDraw, place: tuple[float, float], text: str, anchor: str) -> None:
    from PIL import ImageFont

    draw.text(place, text, INK, ImageFont.load_default(SIZE), anchor)

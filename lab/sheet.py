"""The demo's picture: a row for each setting, and beside each picture its difference from the uncached one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from torch import Tensor

    from .demo import Measured
    from .families import Family

TIMES = 8  # what a difference is shown multiplied by
ZOOM, GAP, MARGIN, HEAD = 2, 6, 300, 30
GREY = (90, 90, 90)


def contact_sheet(measured: list[Measured], rows: list[dict], frame: int = 0) -> Image.Image:
    """The settings that are to be shown: name and numbers, then each picture with its difference. Of clips, one
    `frame`."""
    lines = [(m, r) for m, r in zip(measured, rows, strict=True) if m.setting.shown]
    reference = _still(measured[0].pictures, frame)
    edge = ZOOM * reference.shape[-1]
    width = MARGIN + len(reference) * (2 * edge + 3 * GAP)
    sheet = Image.new("RGB", (width, HEAD + len(lines) * (edge + GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 6), f"each picture, and how it differs from the uncached one, times {TIMES}", GREY, font_size=16)
    for line, (m, r) in enumerate(lines):
        top = HEAD + line * (edge + GAP)
        _caption(pen, r, top + edge // 2 - 34)
        for column, (picture, uncached) in enumerate(zip(_still(m.pictures, frame), reference, strict=True)):
            left = MARGIN + column * (2 * edge + 3 * GAP)
            sheet.paste(_image((picture + 1) / 2), (left, top))
            if m is not measured[0]:
                sheet.paste(_image((picture - uncached).abs() / 2 * TIMES), (left + edge, top))
    return sheet


def _still(pictures: Tensor, frame: int) -> Tensor:
    return pictures if pictures.ndim == 4 else pictures[:, :, frame]


def _caption(pen: ImageDraw.ImageDraw, row: dict, top: int) -> None:
    """What stands to the left of a setting's pictures."""
    reference = row["psnr_db"] is None
    runs = f"{row['evaluations']} of {row['steps']} model runs" if row["attention_computed"] != 1 else "every step"
    if row["evaluations"] == row["steps"] and not reference:
        runs = f"{row['attention_computed']:.0%} of attention and MLP"
    pen.text((8, top), row["name"], "black", font_size=18)
    pen.text((8, top + 26), runs, GREY, font_size=15)
    quality = "the reference" if reference else f"{row['speedup']:.1f}x as fast   PSNR {row['psnr_db']:.1f} dB"
    pen.text((8, top + 46), quality, GREY, font_size=15)


def _image(values: Tensor) -> Image.Image:
    """An image of `(3, H, W)` in [0, 1], enlarged without smoothing."""
    pixels = (values.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    image = Image.fromarray(pixels)
    return image.resize((ZOOM * image.width, ZOOM * image.height), Image.Resampling.NEAREST)


def save_sheet(measured: list[Measured], rows: list[dict], family: Family, out: Path) -> Path:
    """`compare.png`, or of clips the animated `compare.webp`, which plays forth and back."""
    if family.frames == 1:
        contact_sheet(measured, rows).save(out / "compare.png")
        return out / "compare.png"
    sheets = [contact_sheet(measured, rows, frame) for frame in range(family.frames)]
    sheets += sheets[-2:0:-1]
    sheets[0].save(out / "compare.webp", save_all=True, append_images=sheets[1:], duration=200, loop=0, quality=85)
    return out / "compare.webp"

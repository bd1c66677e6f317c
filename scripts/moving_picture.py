#!/usr/bin/env python3
"""Write docs/learning.webp: AB-Cache Apply in ComfyUI's page while it learns from a first picture, and while the next
one runs. A tiny model stands for the real one, so its seconds say nothing.

    python3 scripts/moving_picture.py [FILE] [--node ABCacheApply] [--theme dark]
    python3 scripts/moving_picture.py docs/timeline.jpg --node FEBCacheApply       the node after both, standing still

Needs ComfyUI and a browser, as the page's tests do (tests/web/conftest.py), and Pillow.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image, ImageChops  # noqa: E402

SHORT, PAUSE, FINAL = 90, 1800, 3500  # milliseconds of a frame in a run, before and after it, and at the end
MOST = 160  # frames
GOING = ("Learning:", "Running:")


def durations(said: Sequence[str]) -> list[int]:
    """How long each frame is shown, in ms, by what the strip says on it: what stands still is shown for longer."""
    times: list[int] = []
    for words, same in groupby(said):
        count = len([*same])
        still = not words.startswith(GOING)
        times += [SHORT] * (count - 1) + [PAUSE if still else SHORT]
    return [*times[:-1], FINAL]


def without_repeats(frames: Sequence[Image.Image], times: Sequence[int]) -> tuple[list[Image.Image], list[int]]:
    """The frames that differ from the one before, each shown at least as long as the longest of its repeats."""
    kept: list[Image.Image] = []
    shown: list[int] = []
    for frame, time in zip(frames, times, strict=True):
        if kept and ImageChops.difference(kept[-1], frame).getbbox() is None:
            shown[-1] = max(shown[-1], time)
        else:
            kept.append(frame)
            shown.append(time)
    return kept, shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=ROOT / "docs" / "learning.webp")
    parser.add_argument("--node", choices=("ABCacheApply", "FEBCacheApply"), default="ABCacheApply")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    given = parser.parse_args()
    from tests.web.conftest import driven, served

    with tempfile.TemporaryDirectory() as base, served(Path(base) / "comfyui", ROOT) as url:
        taken = driven(url, "moving.mjs", given.node, given.theme, seconds=600)["frames"]
    if given.file.suffix == ".jpg":
        Image.open(taken[-1][0]).convert("RGB").save(given.file, quality=88, optimize=True)
        return
    shots = [Image.open(name).convert("RGB") for name, _ in taken]
    frames, times = without_repeats(shots, durations([words for _, words in taken]))
    if len(frames) > MOST:
        raise SystemExit(f"{len(frames)} frames are too many; at most {MOST}. Is the machine busy?")
    frames[0].save(given.file, save_all=True, append_images=frames[1:], duration=times, loop=0, quality=70, method=6)
    print(f"{given.file.name}: {len(frames)} frames, {sum(times) / 1000:.0f} s, {given.file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()

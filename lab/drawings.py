"""Drawn pictures with clear edges: what `flux_drawings` is trained on.

The drawings are Microsoft's Fluent Emoji, flat, under the MIT licence (lab/weights/FLUENT_EMOJI_LICENSE.txt), as the
npm package `@iconify-json/fluent-emoji-flat` has them. Only a training needs them, npm, and the Python package
`resvg-py`; the shipped weights work without.

    python3 -m lab.drawings    (writes out/drawings.png, all of them, to look at)
"""

import io
import json
import math
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

PACKAGE, VERSION = "@iconify-json/fluent-emoji-flat", "1.2.6"
SIZE = 64
NAMES = Path(__file__).parent / "weights" / "flux_drawings_names.json"


@cache
def kinds() -> dict[str, tuple[str, ...]]:
    """The twelve kinds that a picture is asked for by, and the names of the drawings of each."""
    return {kind: tuple(names) for kind, names in json.loads(NAMES.read_text()).items()}


@cache
def shapes() -> dict[str, str]:
    """The package's drawings, name to SVG elements on a canvas of 32 x 32; npm downloads them.

    Raises FileNotFoundError without npm, and CalledProcessError where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            member = archive.extractfile("package/icons.json")
            assert member, "the package has its drawings in icons.json"
            icons = json.load(member)["icons"]
    return {name: icons[name]["body"] for names in kinds().values() for name in names}


def _ground(generator: torch.Generator) -> str:
    """A random light colour."""
    hue, depth = torch.rand(2, generator=generator).tolist()
    return "#{:02x}{:02x}{:02x}".format(
        *(255 - round(56 * depth * (1 - math.cos(2 * math.pi * (hue - i / 3)))) for i in range(3))
    )


def rendered(body: str, ground: str) -> Tensor:
    """One picture `(3, 64, 64)`, bytes."""
    import resvg_py  # only a training needs it

    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIZE}" height="{SIZE}" viewBox="0 0 32 32">'
    png = resvg_py.svg_to_bytes(svg_string=f"{svg}{body}</svg>", background=ground)
    pixels = Image.open(io.BytesIO(bytes(png))).convert("RGB")
    return torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8).view(SIZE, SIZE, 3).permute(2, 0, 1)


def drawn(times: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Every drawing `times` times, each on another light ground, `(N, 3, 64, 64)` bytes, and its kind."""
    pictures, labels = [], []
    for label, names in enumerate(kinds().values()):
        for name in names:
            pictures += [rendered(shapes()[name], _ground(generator)) for _ in range(times)]
            labels += [label] * times
    return torch.stack(pictures), torch.tensor(labels)


class Album:
    """Every drawing on many grounds, by kind, to be picked from at random."""

    def __init__(self, times: int):
        self.pictures, labels = drawn(times, torch.Generator().manual_seed(0))
        self.counts = torch.bincount(labels)
        self.starts = self.counts.cumsum(0) - self.counts

    def of(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures `(B, 3, 64, 64)` in [-1, 1], one for each kind in `labels` `(B,)`."""
        places = torch.rand(len(labels), generator=generator) * self.counts[labels]
        return as_values(self.pictures[self.starts[labels] + places.long()])


@cache
def album() -> Album:
    """The drawings, each on 32 grounds."""
    return Album(32)


def as_values(pictures: Tensor) -> Tensor:
    """Bytes as values in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def main() -> None:
    pictures, labels = drawn(1, torch.Generator().manual_seed(0))
    counts = torch.bincount(labels).tolist()
    sheet = Image.new("RGB", (max(counts) * SIZE, len(counts) * SIZE), "white")
    for row, found in enumerate(pictures.split(counts)):
        for column, picture in enumerate(found):
            sheet.paste(Image.fromarray(picture.permute(1, 2, 0).numpy()), (column * SIZE, row * SIZE))
    Path("out").mkdir(exist_ok=True)
    sheet.save("out/drawings.png")
    print(f"Wrote out/drawings.png: {sum(counts)} drawings of {len(counts)} kinds")


if __name__ == "__main__":
    main()

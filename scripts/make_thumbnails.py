#!/usr/bin/env python3
"""Draw the square pictures of the workflows in ComfyUI's template browser: the same seed of a lab model without and
with the cache, and the speed-up that was measured.

    python3 scripts/make_thumbnails.py [FOLDER] [--model flux_drawings] [--clips hunyuan_video] [--rounds 3]

FOLDER is example_workflows if it is not given. Needs torch and Pillow; takes some minutes on a CPU.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from torch import Tensor  # noqa: E402

from cache_core import MODULES, OUTPUT, Plan  # noqa: E402
from cache_core.calibrate import Ledger, Lesson  # noqa: E402
from cache_core.calibrate.learn import recorded  # noqa: E402
from cache_core.saved_plan.saved_plan import Origin  # noqa: E402
from lab.bench import LabBench  # noqa: E402
from lab.demo import as_pictures  # noqa: E402
from lab.families import SHOWN, Family  # noqa: E402
from lab.rows import CLEAR  # noqa: E402

STEPS = 28
COMPUTED = {OUTPUT: 9, MODULES: 14}  # of the plan of the preset auto, by what it caches
SIDE, EDGE, GAP = 512, 250, 4  # pixels: of the thumbnail, of a picture in it, between both
INK, GREY, PAPER, BLUE = "white", "#b8b8b8", "#202020", "#5b9bd5"
VIDEO = "video"  # in the name of a workflow that makes clips


@dataclass(frozen=True)
class Pair:
    """Pictures `(3, H, W)` in [-1, 1] of one seed, and how many times faster the cached one was, each round."""

    uncached: Tensor
    cached: Tensor
    rates: list[float]


class Studio:
    """A lab model, with a plan for each way to cache, learned from one picture as the nodes do."""

    def __init__(self, name: str, rounds: int) -> None:
        family = SHOWN[name]
        guidance = family.guidance if family.drawn else 1.0
        self.bench, self.rounds = LabBench(family, STEPS, guidance=guidance), rounds
        self.plans = {kinds: self._learned(kinds) for kinds in COMPUTED}

    def _learned(self, kinds: frozenset) -> Plan:
        ledger = Ledger(self.bench, 2.0)
        lesson = Lesson(ledger, [recorded(ledger, 0)], kinds, Origin(""), lambda plan: None)
        return lesson.learned(COMPUTED[kinds]).plan.plan(self.bench.timeline, "learned")

    def pair(self, kinds: frozenset, seed: int) -> Pair:
        """The pictures of a seed; of drawings of a clear one."""
        family = self.bench.family
        seed = CLEAR[seed % len(CLEAR)] if family.drawn else seed
        noise, labels = self.bench.drawn(range(seed, seed + 1))
        plain, slow = timed(lambda: self.bench.run(noise, labels), self.rounds)
        cached, fast = timed(lambda: self.bench.run(noise, labels, (self.plans[kinds],)), self.rounds)
        return Pair(still(plain, family), still(cached, family), [a / b for a, b in zip(slow, fast, strict=True)])


def timed(sampled: Callable[[], Tensor], rounds: int) -> tuple[Tensor, list[float]]:
    """Latents, and the CPU seconds of each round."""
    seconds = []
    for _ in range(rounds):
        start = process_time()
        latents = sampled()
        seconds.append(process_time() - start)
    return latents, seconds


def still(latents: Tensor, family: Family) -> Tensor:
    """The first picture of a batch, or the middle frame of its first clip, `(3, H, W)`."""
    picture = as_pictures(latents, family)[0]
    return picture if picture.ndim == 3 else picture[:, picture.shape[1] // 2]


def drawn(picture: Tensor) -> Image.Image:
    """A picture as large as the thumbnail has it."""
    pixels = ((picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(pixels).resize((EDGE, EDGE), Image.Resampling.LANCZOS)


def thumbnail(pair: Pair, rate: float, model: str) -> Image.Image:
    """Both pictures side by side, and below them the speed-up and what it was measured on."""
    sheet = Image.new("RGB", (SIDE, SIDE), PAPER)
    pen = ImageDraw.Draw(sheet)
    for left, name, picture in ((GAP, "without cache", pair.uncached), (SIDE - GAP - EDGE, "cached", pair.cached)):
        sheet.paste(drawn(picture), (left, 60))
        pen.text((left + EDGE / 2, 34), name, INK, anchor="mm", font_size=30)
    pen.text((SIDE / 2, 384), f"{rate:.1f}x faster", BLUE, anchor="mm", font_size=82)
    pen.text((SIDE / 2, 470), f"measured: {model}, {STEPS} steps, CPU", GREY, anchor="mm", font_size=24)
    return sheet


def caches(workflow: Path) -> frozenset:
    """What the Apply node of a workflow caches."""
    text = json.dumps(json.loads(workflow.read_text(encoding="utf-8")))
    return MODULES if '"FEBCacheApply"' in text else OUTPUT


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "example_workflows")
    parser.add_argument("--model", choices=SHOWN, default="flux_drawings", help="draws the pictures")
    parser.add_argument("--clips", choices=SHOWN, default="hunyuan_video", help="draws frames of the clips")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each picture is timed; the median of all counts"
    )
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # seconds of the CPU are then those of the clock
    studios = {name: Studio(name, given.rounds) for name in (given.model, given.clips)}
    pairs: dict[tuple[str, frozenset], dict[Path, Pair]] = {}
    for seed, workflow in enumerate(sorted(given.folder.glob("*.json"))):
        name, kinds = given.clips if VIDEO in workflow.stem else given.model, caches(workflow)
        pairs.setdefault((name, kinds), {})[workflow] = studios[name].pair(kinds, seed)
    for (name, _), own in pairs.items():
        rate = median(rate for pair in own.values() for rate in pair.rates)
        for workflow, pair in own.items():
            thumbnail(pair, rate, f"lab {name}").save(workflow.with_suffix(".jpg"), quality=88, optimize=True)
            print(f"{workflow.stem}: {rate:.2f}x")


if __name__ == "__main__":
    main()

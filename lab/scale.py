"""What a library of learned plans costs, by arithmetic: the tables of docs/SCALE.md.

    python3 -m lab.scale

An evaluation takes 2 P T + 4 L d T^2 floating-point operations: P parameters, T tokens, L blocks of width d; twice with
guidance. Seconds are these operations at SPEED, which no command here has measured. The operations of text encoders and
of the VAE are left out: learning a plan decodes nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path

from cache_core.calibrate.recording import elements

LIBRARY = Path(__file__).resolve().parent / "results" / "library.json"
SPEED = 4e14  # operations a second of a card: an assumption
LOADING = 60.0  # seconds in which a worker loads a model: an assumption
SPEEDUP = 3  # steps for each computed one, of the preset auto


@dataclass(frozen=True)
class Model:
    """A model and what is sampled with it. `passes`: of the model in an evaluation, 2 with guidance."""

    name: str
    parameters: float
    blocks: int
    width: int
    tokens: int
    steps: int
    passes: int

    @property
    def operations(self) -> float:
        """Floating-point operations of an evaluation."""
        linear, attention = 2 * self.parameters * self.tokens, 4 * self.blocks * self.width * self.tokens**2
        return self.passes * (linear + attention)

    def evaluations(self, pictures: int) -> int:
        """Evaluations that learning takes: each picture in full and once by the plan, and one without learning."""
        return pictures * self.steps + (pictures + 1) * ceil(self.steps / SPEEDUP)

    def seconds(self, pictures: int) -> float:
        """Seconds of a card to learn a plan."""
        return self.evaluations(pictures) * self.operations / SPEED


MODELS = (
    Model("FLUX.1 dev, 1024x1024", 12e9, 57, 3072, 64 * 64 + 512, 28, 1),
    Model("Qwen-Image, 1328x1328", 20e9, 60, 3072, 83 * 83 + 256, 20, 2),
    Model("Wan 2.2 14B, 832x480, 81 frames", 14e9, 40, 5120, 21 * 30 * 52, 20, 2),
    Model("HunyuanVideo, 1280x720, 129 frames", 13e9, 60, 3072, 33 * 45 * 80 + 256, 50, 1),
)


@dataclass(frozen=True)
class House:
    """A user with many workflows: how many models, LoRAs with strengths for each, sizes, guidances, samplers."""

    name: str
    models: int
    loras: int
    sizes: int
    guidances: int
    samplers: int

    @property
    def plans(self) -> int:
        """Plans, if all combinations are used."""
        return self.models * self.loras * self.sizes * self.guidances * self.samplers

    def hours(self, cards: int) -> float:
        """Hours to learn all plans on so many cards, as FLUX's: each card loads as many models as it has a share in."""
        used = min(cards, self.plans)
        loads = max(self.models, used) / used * LOADING
        return (ceil(self.plans / used) * MODELS[0].seconds(1) + loads) / 3600


HOUSES = (
    House("one desk", 2, 3, 2, 1, 1),
    House("a studio", 10, 40, 3, 2, 1),
    House("a hosting service", 20, 400, 4, 2, 2),
)


def size_classes(smallest: int, largest: int) -> int:
    """Classes of the square sizes from one to another, in pixels, with 8 pixels a latent position."""
    return round(log2((largest // 8) ** 2)) - round(log2((smallest // 8) ** 2)) + 1


def tables() -> Iterator[str]:
    """The lines of both tables."""
    plan = json.loads(LIBRARY.read_text())["bytes_of_a_plan"]
    yield (
        "| model | evaluations to learn, 1 picture | 8 pictures | recording in memory, MB | card-seconds, 1 picture | "
        "8 pictures |"
    )
    yield "|---|---|---|---|---|---|"
    for m in MODELS:
        recording = 2 * 4 * m.steps * elements(m.steps) / 1e6
        yield (
            f"| {m.name}, {m.steps} steps | {m.evaluations(1)} | {m.evaluations(8)} | {recording:.0f} | "
            f"{m.seconds(1):.0f} | {m.seconds(8):.0f} |"
        )
    yield ""
    yield (
        "| | models | LoRAs each | size classes | guidances | samplers | plans | MB | 10 cards, hours | "
        "1,000 cards, hours |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for h in HOUSES:
        yield (
            f"| {h.name} | {h.models} | {h.loras} | {h.sizes} | {h.guidances} | {h.samplers} | {h.plans:,} | "
            f"{h.plans * plan / 1e6:.1f} | {h.hours(10):.2f} | {h.hours(1000):.2f} |"
        )
    yield ""
    yield f"Squares of 512 to 2048 pixels are {size_classes(512, 2048)} size classes."


if __name__ == "__main__":
    print("\n".join(tables()))

"""Published settings by model, and estimates from published pairs."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

from .method import Variant
from .published import published

FACTS = ("width", "channels")


def entry_for(table: str, variant: Variant) -> dict[str, Any]:
    """The first entry of a table of settings that a model's facts fit; empty where there is none."""
    for entry in published()[table]:
        facts = {"name": entry["class"], **{key: entry[key] for key in FACTS if key in entry}}
        if facts.items() <= vars(variant).items():
            return entry
    return {}


def shares_of(speeds: Iterable[Sequence[float]]) -> list[tuple[float, float]]:
    """Pairs of threshold and share of evaluations saved, `1 - 1 / speed-up`, from pairs of threshold and speed-up."""
    return [(threshold, 1 - 1 / speed) for threshold, speed in speeds]


def interpolated(pairs: Sequence[tuple[float, float]], threshold: float) -> float:
    """The share that a threshold saves, on straight lines from 0 at 0 through ascending `pairs`, and on by the last
    one, 1 at most."""
    points = [(0.0, 0.0), *pairs]
    above = min(max(1, bisect_left([point[0] for point in points], threshold)), len(points) - 1)
    (a, low), (b, high) = points[above - 1], points[above]
    return min(1.0, low + (high - low) * (threshold - a) / (b - a))

"""cache-dit's masks of steps: four lists for 28 steps, from careful to fast."""

from itertools import zip_longest

from ..schedule import TableAt, at_share
from .method import Method, Sampling, Threshold

STEPS = 28
# lengths of the runs of computed steps, and of the reused ones behind each; METHODS_RELATED.md section 5
MASKS = {
    "slow": ((8, 3, 3, 2, 1, 1), (1, 2, 2, 2, 3)),
    "medium": ((6, 2, 2, 2, 2, 1), (1, 3, 3, 3, 3)),
    "fast": ((6, 1, 1, 1, 1, 1), (1, 3, 4, 5, 4)),
    "ultra": ((4, 1, 1, 1, 1), (2, 5, 6, 7)),
}


def computed(name: str) -> tuple[int, ...]:
    """Computed steps, of 28, of the mask of this name."""
    marks = "".join("1" * run + "0" * (rest or 0) for run, rest in zip_longest(*MASKS[name]))
    return tuple(step for step, mark in enumerate(marks) if mark == "1")


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """The mask of this number, 1 = slow to 4 = ultra, at the same shares of the run."""
    steps = computed(tuple(MASKS)[int(threshold) - 1])
    return sampling.computing(at_share(steps, STEPS, sampling.timeline.steps))


CACHE_DIT = Method(
    "Cache-DiT masks",
    "github.com/vipshop/cache-dit",
    "Computes the steps of one of four lists: 1 slow, 2 medium, 3 fast, 4 ultra.",
    Threshold("mask", 1, 4, 2, whole=True),
    schedule,
    curves=False,
    aliases=("cache-dit", "cachedit", "steps mask"),
)

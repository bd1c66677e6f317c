"""EasyCache (arXiv 2507.02860): reuse while the output's foreseen change, by that of the state, sums up below tau."""

from itertools import accumulate
from operator import mul

from ..schedule import Foreseen, Frame, Online
from .entries import interpolated
from .method import Method, Sampling, Threshold
from .published import published

FRAME = Frame(1, 1, 0.15, 0.95)  # start_percent and end_percent of ComfyUI's node


def rule(sampling: Sampling, threshold: float) -> Online:
    """The rule, for blocks as for the output: it reads the states alone, so it needs no figures of a model."""
    return Online(sampling.kinds, Foreseen(), threshold, frame=FRAME)


def share(sampling: Sampling, threshold: float) -> float:
    """Share of the evaluations saved: an estimate, by the rule on the recorded picture; without one by what ComfyUI's
    node saves of 28 steps on the lab's FLUX (lab/rivals.py)."""
    if sampling.profile:
        return replayed(sampling, threshold)
    return interpolated([(tau, saved) for tau, saved in published()["easycache_shares"]], threshold)


def replayed(sampling: Sampling, threshold: float) -> float:
    """Share of a recorded picture's evaluations that the rule saves: of the way from one step to another the sum of
    its parts is taken, of changes too, and the magnitude of the state as constant."""
    profile, own = sampling.profile, rule(sampling, threshold)
    assert profile is not None
    size, edge = list(accumulate(profile.growth, mul)), own.table(sampling.timeline).rows
    changed = list(
        accumulate(change * magnitude for change, magnitude in zip(profile.change, [1.0, *size], strict=False))
    )
    way = list(accumulate(profile.moved))
    total, saved, before, last = float("inf"), 0, 0, 0
    for step in range(1, min(sampling.timeline.steps, len(size))):
        moved = way[last] - way[before]  # 0 between two steps at one sigma
        ratio = (changed[last] - changed[before]) / moved if moved else float("inf")
        total += ratio * (way[step] - way[last]) / size[last]
        if edge[step] or own.computes(total, 0):
            before, last, total = last, step, 0.0
        else:
            saved += 1
    return saved / sampling.timeline.steps


EASYCACHE = Method(
    "EasyCache",
    "arXiv 2507.02860",
    "Reuses while the state foretells little change of the output. ComfyUI's own cache, for the model's blocks.",
    Threshold("reuse_threshold", 0.001, 10.0, 0.2),
    rule,
    aliases=("easycache", "easy cache"),
    decides=True,
    share=share,
)

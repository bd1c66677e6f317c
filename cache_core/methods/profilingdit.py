"""ProfilingDiT (arXiv 2504.03140): the blocks that matter least are reused, each group of neighbours together."""

from collections.abc import Mapping, Sequence

from ..schedule import TableAt
from ..site import Range
from .displaced import UNTRIED
from .entries import entry_for
from .lists import given, ranges_of
from .method import Method, Sampling, Threshold
from .profile import Profile
from .selection import by_block, least

INTERVAL, WARMUP = 6, 6  # as released: the first steps, then every so many-th
SHARE = 2 / 3  # of the blocks that are reused; 63 % and 70 % in the released lists


def full_steps(steps: int, interval: int = INTERVAL) -> tuple[int, ...]:
    """The steps, ascending, that compute all blocks: the first six, of a short sampling at most a third, and every
    `interval`-th."""
    warmup = max(1, min(WARMUP, steps // 3))
    return tuple(step for step in range(steps) if step < warmup or step % interval == 0)


def released(sampling: Sampling) -> Mapping[str, Sequence[int]]:
    """The published lists of a model, by the path of each; empty where there are none for so many blocks."""
    entry, counts = entry_for("profilingdit_lists", sampling.variant), dict(sampling.variant.lists)
    return entry["lists"] if entry and counts in ({}, entry["of"]) else {}


def ranges(sampling: Sampling) -> tuple[Range, ...]:
    """The blocks that are reused: the user's own, those that a recorded picture shows, else the published ones."""
    if sampling.given:
        return given(sampling)
    found = sampling.profile.displaced if sampling.profile else None
    return ranges_of(least(by_block(found), SHARE) if found and found.groups else released(sampling))


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """The first steps, and every n-th, n = `threshold`."""
    return sampling.computing(full_steps(sampling.timeline.steps, int(threshold)))


def tried(profile: Profile, apart: bool) -> str:
    """The reason why nothing can be learned of a picture."""
    if not apart:
        return "its blocks are tried attention and MLP apart, and here these cannot be. Name blocks in schedule."
    return "" if profile.displaced else UNTRIED


def refusal(sampling: Sampling) -> str:
    """The reason why there are no blocks to reuse."""
    name = sampling.variant.name or "this model"
    if not sampling.inside or sampling.variant.unet:
        return f"it reuses some blocks and computes the others, and those of {name} cannot be told apart. Take FORA."
    if sampling.profile and not sampling.given:
        return tried(sampling.profile, sampling.variant.apart)
    if sampling.given or released(sampling):
        return ""
    blocks = sum(count for _, count in sampling.variant.lists)
    which = f"{name} with {blocks} blocks" if blocks else name
    return (
        f"no list of blocks was published for {which}. Set curves to 'learned on this model', or name them in schedule."
    )


PROFILINGDIT = Method(
    "ProfilingDiT",
    "arXiv 2504.03140",
    "Computes all blocks at every n-th step; between, it reuses those that matter least.",
    Threshold("step_interval", 1, 20, INTERVAL, whole=True),
    schedule,
    refusal=refusal,
    imports=True,
    tries=True,
    places=True,
    aliases=("profilingdit",),
    ranges=ranges,
)

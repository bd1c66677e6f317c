"""ProfilingDiT (arXiv 2504.03140): the blocks that matter least are reused, each group of neighbours together."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from ..errors import ConfigError, brief
from ..schedule import TableAt, json_object
from ..site import Range
from .entries import entry_for
from .method import Method, Sampling, Threshold

INTERVAL, WARMUP = 6, 6  # as released: the first steps, then every so many-th
EXAMPLE = '{"blocks": [6, 7]}'


def full_steps(steps: int, interval: int = INTERVAL) -> tuple[int, ...]:
    """The steps, ascending, that compute all blocks: the first six, of a short sampling at most a third, and every
    `interval`-th."""
    warmup = max(1, min(WARMUP, steps // 3))
    return tuple(step for step in range(steps) if step < warmup or step % interval == 0)


def ranges_of(lists: Mapping[str, Sequence[int]]) -> tuple[Range, ...]:
    """Ranges of neighbours among the blocks that are reused, by the path of their list: what a user's own file holds.

    Raises ConfigError for places that are no whole numbers from 0.
    """
    found = []
    for path, places in lists.items():
        if not isinstance(places, Sequence) or not all(type(place) is int and place >= 0 for place in places):
            raise ConfigError(f"{brief(path)} lists {brief(repr(places))}; blocks are named by whole numbers from 0.")
        for _, run in groupby(enumerate(sorted(set(places))), key=lambda pair: pair[1] - pair[0]):
            group = [place for _, place in run]
            found.append(Range(path, group[0], group[-1] + 1))
    return tuple(found)


def given(sampling: Sampling) -> tuple[Range, ...]:
    """The ranges of the user's own lists. Raises ConfigError for anything but JSON of lists that the model has."""
    ranges, counts = ranges_of(json_object(sampling.given)), dict(sampling.variant.lists)
    if not ranges:
        raise ConfigError(f"Lists of reused blocks are JSON such as {EXAMPLE}; this is {brief(repr(sampling.given))}.")
    for found in ranges if counts else ():
        if found.stop > counts.get(found.path, 0):
            known = ", ".join(f"{path} 0-{count - 1}" for path, count in counts.items())
            raise ConfigError(f"schedule names {brief(found.path)} {found.stop - 1}; this model has {known}.")
    return ranges


def released(sampling: Sampling) -> Mapping[str, Sequence[int]]:
    """The published lists of a model, by the path of each; empty where there are none for so many blocks."""
    entry, counts = entry_for("profilingdit_lists", sampling.variant), dict(sampling.variant.lists)
    return entry["lists"] if entry and counts in ({}, entry["of"]) else {}


def ranges(sampling: Sampling) -> tuple[Range, ...]:
    """The blocks that are reused: the user's own, else the published ones."""
    return given(sampling) if sampling.given else ranges_of(released(sampling))


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """The first steps, and every n-th, n = `threshold`."""
    return sampling.computing(full_steps(sampling.timeline.steps, int(threshold)))


def refusal(sampling: Sampling) -> str:
    """The reason why there are no blocks to reuse."""
    name = sampling.variant.name or "this model"
    if not sampling.inside or sampling.variant.unet:
        return f"it reuses some blocks and computes the others, and those of {name} cannot be told apart. Take FORA."
    if sampling.given or released(sampling):
        return ""
    return f"no list of blocks was published for {name}. Name them in schedule, or take DBCache, which needs no list."


PROFILINGDIT = Method(
    "ProfilingDiT",
    "arXiv 2504.03140",
    "Computes all blocks at every n-th step; between, it reuses those that matter least.",
    Threshold("step_interval", 1, 20, INTERVAL, whole=True),
    schedule,
    refusal=refusal,
    curves=False,
    imports=True,
    places=True,
    aliases=("profilingdit",),
    ranges=ranges,
)

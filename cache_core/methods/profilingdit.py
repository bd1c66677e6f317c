"""ProfilingDiT (arXiv 2504.03140): the blocks that matter least are reused, each group of neighbours together."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from ..errors import ConfigError
from ..site import Range

INTERVAL, WARMUP = 6, 6  # as released: the first steps, then every so many-th


def full_steps(steps: int) -> tuple[int, ...]:
    """The steps, ascending, that compute all blocks: the first six, and every sixth."""
    return tuple(step for step in range(steps) if step < WARMUP or step % INTERVAL == 0)


def ranges_of(lists: Mapping[str, Sequence[int]]) -> tuple[Range, ...]:
    """Ranges of neighbours among the blocks that are reused, by the path of their list: what a user's own file holds.

    Raises ConfigError for places that are no whole numbers from 0.
    """
    found = []
    for path, places in lists.items():
        if not all(type(place) is int and place >= 0 for place in places):
            raise ConfigError(f"{path} lists {list(places)[:5]}; blocks are named by whole numbers from 0.")
        for _, run in groupby(enumerate(sorted(set(places))), key=lambda pair: pair[1] - pair[0]):
            group = [place for _, place in run]
            found.append(Range(path, group[0], group[-1] + 1))
    return tuple(found)


def least(displaced: Mapping[tuple[str, int], float], share: float) -> tuple[Range, ...]:
    """Ranges of the `share` of all blocks, 0 to 1, whose reuse displaces the output least, by their list's path and
    place: the released lists name them for two models only."""
    every = sorted(displaced, key=lambda block: (displaced[block], block))
    picked = every[: round(share * len(every))]
    return ranges_of({path: [place for own, place in picked if own == path] for path, _ in picked})

"""Lists of blocks that are reused, as a user writes them: places by the path of each list."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from ..errors import ConfigError, brief
from ..schedule import json_object
from ..site import Range
from .method import Sampling

EXAMPLE = '{"blocks": [6, 7]}'


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

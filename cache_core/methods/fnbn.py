"""FnBn: the first n blocks and the last n run at every step, and the others are reused."""

from collections.abc import Callable, Sequence

from ..errors import ConfigError, brief
from ..schedule import json_object
from ..site import Range
from .method import Sampling

MOST_FIRST = 1 / 3  # of the blocks: a small model would have nothing left to reuse
EXAMPLE = '{"Fn":8, "Bn":8}'
LEAST = {"Fn": 1, "Bn": 0}  # the first block tells how much has changed


def between(lists: Sequence[tuple[str, int]], first: int, last: int) -> tuple[Range, ...]:
    """The blocks without the `first` and the `last` ones, counted over all lists in their order: FnBn."""
    stop, begun, found = sum(count for _, count in lists) - last, 0, []
    for path, count in lists:
        start, end = max(0, first - begun), min(count, stop - begun)
        if start < end:
            found.append(Range(path, start, end))
        begun += count
    return tuple(found)


def kept(first: int) -> Callable[[Sampling], tuple[Range, ...]]:
    """The blocks behind the `first` ones, of a small model at most a third; or those between what was given."""

    def ranges(sampling: Sampling) -> tuple[Range, ...]:
        if sampling.given:
            return given(sampling, first)
        lists = sampling.variant.lists
        return between(lists, min(first, max(1, int(MOST_FIRST * sum(count for _, count in lists)))), 0)

    return ranges


def given(sampling: Sampling, first: int) -> tuple[Range, ...]:
    """The blocks between the first Fn, else `first`, and the last Bn, else 0, of a given JSON. Raises ConfigError for
    another text, and where nothing is left between them."""
    found, lists = json_object(sampling.given), sampling.variant.lists
    if not found or not all(type(n) is int and n >= LEAST.get(name, n + 1) for name, n in found.items()):
        told = brief(repr(sampling.given))
        raise ConfigError(f"FnBn is JSON such as {EXAMPLE}, with Fn from 1 and Bn from 0; this is {told}.")
    front, back = found.get("Fn", first), found.get("Bn", 0)
    ranges = between(lists, front, back)
    if lists and not ranges:
        every = sum(count for _, count in lists)
        raise ConfigError(f"Fn {front} and Bn {back} leave none of this model's {every} blocks to reuse. Lower them.")
    return ranges

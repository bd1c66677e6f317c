"""Kinds of call whose output can be predicted: where a plan acts."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(str, Enum):
    """Kind of site. A site is one such call of one block, named `kind` + the path of its module."""

    ATTENTION = "attention"  # output of an attention, before its gate
    MLP = "mlp"  # output of an MLP, before its gate
    BLOCKS = "blocks"  # sum that a list of blocks adds to its streams: attention and MLP merged
    MODEL = "model"  # raw output of the whole model: velocity or predicted noise
    GUIDANCE = "guidance"  # raw unconditional output minus the conditional one


def in_order(kinds: Iterable[Kind]) -> list[Kind]:
    """The kinds, in the one order in which they are shown and written."""
    return sorted(kinds, key=list(Kind).index)


def names(kinds: Iterable[Kind]) -> str:
    """The kinds in words: `attention and mlp`."""
    return " and ".join(kind.value for kind in in_order(kinds))


@dataclass(frozen=True)
class Range:
    """Blocks `start` to `stop` - 1 of the list at `path`, counted from 0."""

    path: str
    start: int
    stop: int


def within(ranges: Iterable[Range], path: str, count: int) -> list[range]:
    """The ranges, ascending, of the list of `count` blocks at `path`: the whole list, if there are no `ranges` at
    all."""
    ranges = tuple(ranges)
    if not ranges:
        return [range(count)]
    cut = sorted((max(0, r.start), min(count, r.stop)) for r in ranges if r.path == path)
    return [range(start, stop) for start, stop in cut if start < stop]


Sites = frozenset[tuple[Kind, str]]  # kinds, each with the path of the block that it is in
MODULES = frozenset({Kind.ATTENTION, Kind.MLP})  # FEB-Cache
OUTPUT = frozenset({Kind.MODEL})  # AB-Cache
BRANCHES = frozenset({Kind.GUIDANCE})  # methods that leave out the unconditional branch
LATENT = OUTPUT | BRANCHES  # of the latent's shape, outside the blocks: kept as they are, whatever the rung

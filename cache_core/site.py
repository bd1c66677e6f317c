"""Where: the kinds of call whose output can be predicted."""

from collections.abc import Iterable
from enum import Enum


class Kind(str, Enum):
    """A kind of site. A site is one such call of one block, named `kind` + the path of its module."""

    ATTENTION = "attention"  # output of an attention, before its gate
    MLP = "mlp"  # output of an MLP, before its gate
    BLOCKS = "blocks"  # what a list of blocks adds to its streams: attention and MLP merged
    MODEL = "model"  # raw output of the whole model: velocity or predicted noise


def names(kinds: Iterable[Kind]) -> str:
    """The kinds in words, in a fixed order."""
    return " and ".join(sorted(kind.value for kind in kinds))


MODULES = frozenset({Kind.ATTENTION, Kind.MLP})  # FEB-Cache
OUTPUT = frozenset({Kind.MODEL})  # AB-Cache

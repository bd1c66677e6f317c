"""Forms that the hosts of most model families share."""

from ..site import Kind
from .spec import Call


def attention(*names: str, outputs: int = 1) -> Call:
    """Attention submodules of a block, one for each stream."""
    return Call(Kind.ATTENTION, names, outputs)


def mlp(*names: str) -> Call:
    """MLP submodules of a block, one for each stream."""
    return Call(Kind.MLP, names)

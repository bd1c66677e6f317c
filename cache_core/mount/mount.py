"""What a mounted block is made of: parts that each reach some of its sites."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Size, Tensor, nn

from ..site import Kind
from .scoped import Forward

Weights = tuple[Tensor, Tensor | None]
# Lends the full weight and bias of a linear layer, ready for the given input. Behind the `with` block their memory may
# be used for others.
ReadWeights = Callable[[nn.Module, Tensor], AbstractContextManager[Weights]]
OVERRIDE = "optimized_attention_override"
FOREIGN = ("attn1_patch", "attn1_output_patch")  # patches of other packs that look at q and k
EDITORS = ("double_block", "single_block")  # and that change a block's output by what is in it


class Source(Protocol):
    """Where values come from and go to: a Run, or a Replay while a mount is checked."""

    def enter(self, block: str, shapes: Sequence[Size]) -> None: ...
    def predicts(self, kind: Kind, *sites: str) -> bool: ...
    def keeps(self, kind: Kind) -> bool: ...
    def predict(self, kind: Kind, site: str) -> Tensor: ...
    def remember(self, kind: Kind, site: str, value: Tensor) -> None: ...


class Tap:
    """The `Source` that the parts of one block use at the moment."""

    def __init__(self, sites: Source):
        self.sites = sites


class Mount:
    """One way to reach sites of a block.

    `forwards`: modules and the forwards they get. `sites`: names of the sites by kind. `live` is False once demoted,
    `inside` while the block's own forward does not run; the forwards then pass through: a module that another method
    of the block calls is not a site.
    """

    label = "part"

    def __init__(self, tap: Tap):
        self.tap, self.live, self.inside = tap, True, False
        self.forwards: list[tuple[nn.Module, Forward]] = []
        self.sites: dict[Kind, tuple[str, ...]] = {}

    @property
    def answers(self) -> bool:
        """Whether its modules are sites at the moment."""
        return self.live and self.inside

    def predicts(self, kind: Kind) -> bool:
        return self.tap.sites.predicts(kind, *self.sites[kind])

    def enter(self, kwargs: dict) -> dict:
        """Called before the block; returns the keyword arguments that the block gets."""
        return kwargs

    def leave(self) -> None:
        """Called after the block, whatever happened."""


def is_watched(kwargs: dict) -> bool:
    """Whether another pack wants to see the queries and keys of this call."""
    options = kwargs.get("transformer_options")
    return isinstance(options, dict) and any(name in options.get("patches", {}) for name in FOREIGN)


def is_edited(options: dict) -> bool:
    """Whether another pack edits the streams between blocks, by the transformer options."""
    return any(name in options.get("patches", {}) for name in EDITORS)


def can_skip_attention(kwargs: dict) -> bool:
    """Whether the block lets the attention in its own code be replaced in this call, and nobody else wants to see q
    and k."""
    return isinstance(kwargs.get("transformer_options"), dict) and not is_watched(kwargs)


def with_override(kwargs: dict, override: Callable[..., Tensor], **changes: object) -> dict:
    """Keyword arguments with another attention, on a copy of the options: the caller's own ones stay as they are."""
    options = {**kwargs["transformer_options"], OVERRIDE: override}
    return {**kwargs, **changes, "transformer_options": options}


def no_attention(
    _: Callable[..., Tensor], q: Tensor, *args: object, skip_reshape: bool = False, **kwargs: object
) -> Tensor:
    """An attention that nobody reads: right in batch and tokens, without features. `skip_reshape`: q is `(B, heads,
    L, D)`, else `(B, L, C)`."""
    return q.new_empty(q.shape[0], q.shape[2 if skip_reshape else 1], 0)


def blank(x: Tensor, features: int) -> Tensor:
    """A tensor shaped like a linear layer's output for `x`, that takes no memory and no time."""
    return x.new_zeros(()).expand(*x.shape[:-1], features)

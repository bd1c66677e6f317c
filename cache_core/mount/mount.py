"""Mounts: ways to reach some of the sites of a block."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from torch import Tensor, nn

from ..hosts import SiteNames
from ..run.engine import Source
from ..site import Kind
from .scoped import Forward

Weights = tuple[Tensor, Tensor | None]
# Lends the full weight and bias of a linear layer, ready for the given input. Behind the `with` block their memory may
# be used for others.
ReadWeights = Callable[[nn.Module, Tensor], AbstractContextManager[Weights]]
OVERRIDE = "optimized_attention_override"
FOREIGN = ("attn1_patch", "attn1_output_patch")  # patches of other packs that look at q and k
# Patches that change a block's output by what is in it, or keep something in one block for others.
EDITORS = ("double_block", "single_block", "middle_block_after_patch")


class Mount:
    """One way to reach sites of a block.

    `source`: of their values at the moment. `forwards`: modules and the forwards they get. `sites`: names of the sites
    by kind. `live` is False once demoted, `inside` while the block's own forward does not run; the forwards then pass
    through: a module that another method of the block calls is not a site.
    """

    label: str  # its sites, in words

    def __init__(self, source: Source):
        self.source, self.live, self.inside = source, True, False
        self.forwards: list[tuple[nn.Module, Forward]] = []
        self.sites: SiteNames = {}

    @property
    def answers(self) -> bool:
        """True if its modules are sites at the moment."""
        return self.live and self.inside

    def predicts(self, kind: Kind) -> bool:
        """True if all sites of `kind` are predicted in this call."""
        return self.source.predicts(kind, *self.sites[kind])

    def enter(self, kwargs: dict) -> dict:
        """Called before the block; returns the keyword arguments that the block gets."""
        return kwargs

    def leave(self) -> None:
        """Called after the block, whatever happened."""


def is_watched(kwargs: dict) -> bool:
    """True if another pack wants to see the queries and keys of this call."""
    options = kwargs.get("transformer_options")
    return isinstance(options, dict) and any(name in options.get("patches", {}) for name in FOREIGN)


def is_edited(options: dict) -> bool:
    """True if another pack edits the streams between blocks, by the transformer options."""
    return any(name in options.get("patches", {}) for name in EDITORS)


def can_skip_attention(kwargs: dict) -> bool:
    """True if the block lets the attention in its own code be replaced in this call, and nobody else wants to see q
    and k."""
    return isinstance(kwargs.get("transformer_options"), dict) and not is_watched(kwargs)


def with_override(kwargs: dict, override: Callable[..., Tensor], **changes: object) -> dict:
    """Keyword arguments with another attention, on a copy of the options: the caller's own ones stay as they are."""
    options = {**kwargs["transformer_options"], OVERRIDE: override}
    return {**kwargs, **changes, "transformer_options": options}


def no_attention(
    _: Callable[..., Tensor], q: Tensor, *args: object, skip_reshape: bool = False, **kwargs: object
) -> Tensor:
    """Attention output `(B, L, 0)` that nobody reads: right in batch and tokens, without features. `q`: `(B, L, C)`, or
    `(B, heads, L, D)` with `skip_reshape`."""
    return q.new_empty(q.shape[0], q.shape[2 if skip_reshape else 1], 0)


def blank(x: Tensor, features: int) -> Tensor:
    """Zeros `(..., features)`, like a linear layer's output for `x` `(..., C)`, that take no memory and no time."""
    return x.new_zeros(()).expand(*x.shape[:-1], features)

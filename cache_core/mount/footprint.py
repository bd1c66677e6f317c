"""Bytes that a plan will keep of a model, by arithmetic, before it runs."""

import math

from torch import nn

from ..hosts import Blocks, Call, Host, Joint, Spec, blocks_of, submodule
from ..schedule import Table
from ..site import MODULES, Kind
from ..store import Footprint, coded_fraction

CELLS = 4  # latent cells to a token, where neither host nor model says


def tokens(model: nn.Module, host: Host, cells: int) -> int:
    """Number of tokens of a picture, video or sound whose latent has `cells` cells, by the host, else by the model's
    patch size."""
    if host.cells:
        return math.ceil(cells / host.cells)
    patch = getattr(model, "patch_size", getattr(getattr(model, "patchifier", None), "patch_size", None))
    per_token = CELLS if patch is None else patch**2 if isinstance(patch, int) else math.prod(patch)
    return math.ceil(cells / per_token)


def padded(model: nn.Module, count: int) -> int:
    """Number of tokens of a picture or a text with `count` ones, filled up to the model's multiple."""
    multiple = getattr(model, "pad_tokens_multiple", None) or 1
    return math.ceil(count / multiple) * multiple


def joins(host: Host) -> bool:
    """True if the text's tokens go through the blocks. If not, the blocks attend to them in a second attention."""
    return any(
        [kind for mount in blocks.mounts for kind in mount.sites("")].count(Kind.ATTENTION) == 1
        for blocks in host.blocks
    )


def footprint(model: nn.Module, host: Host, table: Table, picture: int, text: int, element_size: int) -> Footprint:
    """Bytes kept by `table`: a site of C features keeps `C * (picture + text) * element_size`. `picture`, `text`:
    tokens times rows times samples.

    An estimate: the first computed evaluation shows the real bytes (run.Measured).
    """
    kinds = MODULES & frozenset().union(*table.states())
    lists = [
        (blocks, [_sizes(block, blocks, picture, text) for block in blocks_of(model, blocks)]) for blocks in host.blocks
    ]
    every = [[sum(size for kind, size in sites if kind in kinds) for sites in found] for _, found in lists]
    merged = [
        max((sum(size for kind, size in sites if kind is Kind.MLP) for sites in found), default=0)
        if blocks.carries and kinds
        else sum(whole)
        for (blocks, found), whole in zip(lists, every, strict=True)
    ]
    apart = [
        sum(whole) if blocks.separable else least
        for (blocks, _), whole, least in zip(lists, every, merged, strict=True)
    ]
    widths = [
        _width(block, mount.needs)
        for blocks, _ in lists
        for block in blocks_of(model, blocks)
        for mount in blocks.mounts
    ]
    largest = max((size for whole in every for size in whole), default=0)
    return Footprint(
        element_size * sum(apart),
        element_size * sum(merged),
        2 * element_size * largest,
        coded_fraction(max(widths, default=1), element_size),
    )


def _sizes(block: nn.Module, blocks: Blocks, picture: int, text: int) -> list[tuple[Kind, int]]:
    """Number of elements that each site of one block keeps, with its kind."""
    return [
        (kind, size)
        for mount in blocks.mounts
        for kind in mount.sites("")
        for size in _values(block, blocks, mount, picture, text)
    ]


def _values(block: nn.Module, blocks: Blocks, mount: Spec, picture: int, text: int) -> list[int]:
    """Number of elements of each site of a mount. One with sites for several streams lacks some in some blocks."""
    streams = mount.names if isinstance(mount, Call) else mount.streams if isinstance(mount, Joint) else ()
    names = (*streams, *mount.extra) if isinstance(mount, Call | Joint) else ()
    if len(names) < 2 and not {*names} & {*blocks.text}:
        return [_width(block, mount.needs) * (picture + text)]
    ends = {name: f"{name}.proj" if isinstance(mount, Joint) else name for name in names}
    return [
        _width(block, (end,)) * (text if name in blocks.text else picture)
        for name, end in ends.items()
        if submodule(block, end) is not None
    ]


def _width(block: nn.Module, names: tuple[str, ...]) -> int:
    """Features C of a token as it enters the submodules of these names: those of the first linear layer or convolution
    below them."""
    below = (module for name in names for module in (submodule(block, name) or nn.Module()).modules())
    return next(filter(None, (getattr(m, "in_features", getattr(m, "in_channels", 0)) for m in below)), 0)

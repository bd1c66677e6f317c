"""Bytes that a plan will keep of a model, by arithmetic, before it runs."""

import math

from torch import nn

from ..hosts import Blocks, Call, Host, Joint, Spec, UNet, blocks_of, submodule
from ..schedule import Table
from ..site import MODULES, Kind, Range, within
from ..store import Footprint, coded_fraction
from ..store.eight_bit import GROUP

Ranges = tuple[Range, ...]
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


def footprint(
    model: nn.Module, host: Host, table: Table, picture: int, text: int, element_size: int, ranges: Ranges = ()
) -> Footprint:
    """Bytes kept by `table`: a site of C features keeps `C * (picture + text) * element_size`. `picture`, `text`:
    tokens times rows times samples. `ranges`: of the plan.

    An estimate: the first computed evaluation shows the real bytes (run.Measured).
    """
    kinds = MODULES & frozenset().union(*table.states())
    if host.unet:
        deep = element_size * _deep(model, host.unet, ranges, picture) * bool(kinds)
        return Footprint(deep, deep, 2 * deep, coded_fraction(GROUP, element_size))
    lists = [
        (blocks, [_sizes(every[i], blocks, picture, text) for i in places])
        for blocks in host.blocks
        for every in [blocks_of(model, blocks)]
        for places in within(ranges, blocks.path, len(every))
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


def deepest(model: nn.Module, unet: UNet, ranges: Ranges) -> int:
    """Place on the way down of the first block that a plan with `ranges` predicts, at least 1; 0 if it predicts
    none."""
    down = blocks_of(model, Blocks(unet.down, ()))
    return next((max(1, part.start) for part in within(ranges, unet.down, len(down)) if part.stop > 1), 0)


def _deep(model: nn.Module, unet: UNet, ranges: Ranges, cells: int) -> int:
    """Number of elements of the output of the last predicted block of a U-Net's way up, for a latent of `cells`."""
    down, up = (blocks_of(model, Blocks(path, ())) for path in (unet.down, unet.up))
    first = deepest(model, unet, ranges)
    halved = sum(hasattr(layer, "op") for block in down[:first] for layer in block.children())  # Downsample
    layers = [*up[len(up) - first - 1].children()] if first else []
    width = next((n for x in layers[::-1] if (n := getattr(x, "out_channels", getattr(x, "in_channels", 0)))), 0)
    return width * cells // 4**halved


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

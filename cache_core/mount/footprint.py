"""How much a plan will keep of a model, by arithmetic, before it runs."""

import math

from torch import nn

from ..hosts import Blocks, Call, Fused, Host, Joint, blocks_of, submodule
from ..schedule import Table
from ..site import MODULES, Kind
from ..store import Footprint
from ..store.eight_bit import share

CELLS = 4  # latent cells to a token, where the model does not say


def tokens(model: nn.Module, cells: int) -> int:
    """Image or video tokens of a latent with `cells` cells, by the model's patch size."""
    patch = getattr(model, "patch_size", None)
    per_token = CELLS if patch is None else patch**2 if isinstance(patch, int) else math.prod(patch)
    return math.ceil(cells / per_token)


def footprint(model: nn.Module, host: Host, table: Table, values: int, element_size: int) -> Footprint:
    """The bytes kept, when each site keeps `values` values of `element_size` bytes for each feature: tokens, text included, times rows times samples.

    An upper bound where an attention answers for fewer tokens than all. A run that keeps more than foreseen steps down.
    """
    kinds = MODULES & frozenset().union(*table.states())
    lists = [(blocks.carries, [_widths(block, blocks, kinds) for block in blocks_of(model, blocks)]) for blocks in host.blocks]
    widths = [width for _, found in lists for block in found for width in block]
    merged = sum(max(map(max, found), default=0) if carries else sum(map(sum, found)) for carries, found in lists if any(found))
    largest = max((sum(block) for _, found in lists for block in found), default=0)
    size = values * element_size
    return Footprint(size * sum(widths), size * merged, 2 * size * largest, share(max(widths, default=1), element_size))


def _widths(block: nn.Module, blocks: Blocks, kinds: frozenset[Kind]) -> list[int]:
    """Features of a token in the sites of one block: each kind of a mount covers the block's tokens once."""
    return [_features(block, mount) for mount in blocks.mounts for kind in mount.sites("") if kind in kinds]


def _features(block: nn.Module, mount: Call | Joint | Fused) -> int:
    """Features of a token as it enters a mount: those of the first linear layer below it."""
    below = (module for need in mount.needs for module in (submodule(block, need) or nn.Module()).modules())
    return next((module.in_features for module in below if getattr(module, "in_features", 0)), 0)

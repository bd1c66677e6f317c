"""The host of a model: recognised by the names of its submodules, never asked for."""

from collections.abc import Iterable
from typing import Any, cast

from torch import nn

from ..errors import HostError
from .families import HOSTS, REFUSED
from .spec import Blocks, Host
from .unet import UNET, is_unet


def submodule(root: nn.Module, path: str) -> nn.Module | None:
    """The submodule at a dotted path, looking through compiled modules; None if there is none."""
    found: Any = root
    for name in path.split("."):
        found = getattr(getattr(found, "_orig_mod", found), name, None)
        if found is None:
            return None
    return found


def required(root: nn.Module, path: str) -> nn.Module:
    """The submodule at a dotted path. Raises AttributeError if there is none."""
    found = submodule(root, path)
    if found is None:
        raise AttributeError(f"'{type(root).__name__}' object has no attribute '{path}'")
    return found


def blocks_of(model: nn.Module, blocks: Blocks) -> list[nn.Module]:
    """The blocks themselves, compiled ones unwrapped."""
    found = submodule(model, blocks.path)
    children = found.values() if isinstance(found, nn.ModuleDict) else cast(Iterable[nn.Module], found or ())
    return [getattr(block, "_orig_mod", block) for block in children]


def matches(host: Host, model: nn.Module) -> bool:
    """True if every block list of `host` is there, and each first block has the submodules that the mounts need."""
    firsts = [blocks_of(model, blocks)[:1] for blocks in host.blocks]
    if not any(firsts) or any(submodule(model, path) is None for path in (*host.needs, *(b.path for b in host.blocks))):
        return False
    return all(
        submodule(block, need) is not None
        for blocks, first in zip(host.blocks, firsts, strict=True)
        for block in first
        for mount in blocks.mounts
        for need in mount.needs
    )


def match(model: nn.Module) -> Host:
    """The host of a diffusion model. Raises HostError, naming the class and what works instead, if there is none."""
    for refused in REFUSED:
        if all(submodule(model, need) is not None for need in refused.needs):
            raise HostError(
                f"{type(model).__name__} ({refused.name}) cannot be cached by FEB-Cache: {refused.why}. AB-Cache works "
                "on any diffusion model: use AB-Cache Apply instead."
            )
    for host in HOSTS:
        if matches(host, model):
            return host
    known = ", ".join(dict.fromkeys(host.name for host in HOSTS))
    raise HostError(
        f"{type(model).__name__} has no attention and MLP that FEB-Cache knows how to separate (known: {known}). "
        "AB-Cache works on any diffusion model: use AB-Cache Apply instead."
    )


def merging(model: nn.Module) -> Host:
    """The host of a diffusion model whose blocks can be predicted together, though perhaps not attention and MLP apart:
    U-Nets, too. Raises HostError as `match` does."""
    return UNET if is_unet(model) else match(model)


def lists_of(model: nn.Module, host: Host) -> tuple[tuple[str, int], ...]:
    """Path and length of each list of blocks; of a U-Net those of its way down."""
    paths = (host.unet.down,) if host.unet else tuple(blocks.path for blocks in host.blocks)
    return tuple((path, len(blocks_of(model, Blocks(path, ())))) for path in paths)

"""The check of a mount against the untouched forward."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..site import Kind

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-4}
LOW_PRECISION = 1e-2


class Replay:
    """Stands in for a run: records the given sites of one computed call, then replays them as predictions."""

    def __init__(self, sites: dict[Kind, tuple[str, ...]]):
        self.sites = sites
        self.values: dict[str, Tensor] = {}
        self.replayed: frozenset[Kind] = frozenset()
        self.missed: set[str] = set()

    def replay(self, kinds: frozenset[Kind]) -> None:
        """From now on predict `kinds`. `missed` holds the sites that were not asked for."""
        self.replayed, self.missed = kinds, {site for kind in kinds for site in self.sites[kind]}

    def enter(self, block: str, shapes: Sequence[torch.Size]) -> None:
        """Nothing: what is replayed is of the very call that was recorded."""

    def predicts(self, kind: Kind, *sites: str) -> bool:
        return kind in self.replayed and all(site in self.sites[kind] for site in sites)

    def keeps(self, kind: Kind) -> bool:
        return kind in self.sites and not self.replayed

    def predict(self, kind: Kind, site: str) -> Tensor:
        self.missed.discard(site)
        return self.values[site].clone()

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        if self.keeps(kind):
            self.values[site] = value.clone()


def copied(value: object) -> object:
    """`value` with its tensors, nested ones too, replaced by copies: blocks write into their inputs."""
    if isinstance(value, Tensor):
        return value.clone()
    return type(value)(map(copied, value)) if type(value) in (tuple, list) else value


def distance(got: object, wanted: object) -> float:
    """The largest relative L2 distance between two block outputs: a tensor, or a tuple of tensors and what else the
    block returns. NaN if any is."""
    pairs = (
        (g.detach().float(), w.detach().float())
        for g, w in zip(_tensors(got), _tensors(wanted), strict=True)
        if w.numel()
    )
    return (
        torch.stack([(g - w).norm() / w.norm().clamp_min(1e-12) for g, w in pairs]).max().item()
    )  # one synchronisation for all of them


def tolerance(output: object) -> float:
    """How far a replayed block may be from the untouched one, by number type."""
    return TOLERANCE.get(next(_tensors(output)).dtype, LOW_PRECISION)


def shapes_of(args: tuple, kwargs: dict) -> list[torch.Size]:
    """The shapes of the tensors that a block is given, `(B, L, ...)`: what is kept of it fits these alone."""
    return [x.shape for x in _tensors((*args, *kwargs.values())) if x.ndim > 2]


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, tuple | list):
        for value in output:
            yield from _tensors(value)

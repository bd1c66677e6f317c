"""The check of a mount against the untouched forward."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..hosts import SiteNames
from ..site import Kind

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-4}
LOW_PRECISION = 1e-2


class Replay:
    """Stands in for a run: records the given sites of one computed call, then replays them as predictions."""

    def __init__(self, sites: SiteNames):
        self.sites = sites
        self.values: dict[str, Tensor] = {}
        self.replayed: frozenset[Kind] = frozenset()
        self.missed: set[str] = set()

    def replay(self, kinds: frozenset[Kind]) -> None:
        """Predict `kinds` from now on. `missed`: their sites that have not been asked for."""
        self.replayed, self.missed = kinds, {site for kind in kinds for site in self.sites[kind]}

    def enter(self, block: str, shapes: Sequence[torch.Size]) -> None:
        """Does nothing: the replay is of the very call that was recorded, with its shapes."""

    def predicts(self, kind: Kind, *sites: str) -> bool:
        """True if `kind` is replayed and these sites are recorded."""
        return kind in self.replayed and all(site in self.sites[kind] for site in sites)

    def keeps(self, kind: Kind) -> bool:
        """True while sites of `kind` are recorded."""
        return kind in self.sites and not self.replayed

    def predict(self, kind: Kind, site: str) -> Tensor:
        """A copy of the value `(B, ...)` recorded of `site`."""
        self.missed.discard(site)
        return self.values[site].clone()

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        """Record a copy of `value` `(B, ...)`."""
        if self.keeps(kind):
            self.values[site] = value.clone()


def copied(value: Any) -> Any:
    """`value` with its tensors, nested ones too, replaced by copies: blocks write into their inputs."""
    if isinstance(value, Tensor):
        return value.clone()
    return type(value)(map(copied, value)) if type(value) in (tuple, list) else value


def distance(got: object, wanted: object) -> float:
    """`max_i ||got_i - wanted_i|| / ||wanted_i||` over the tensors of two block outputs: each a tensor `(B, L, C)`, or
    tensors and other objects in tuples, of which `got` may have None in place of some. NaN if any is."""
    pairs = ((g.detach().float(), w.detach().float()) for g, w in _pairs(got, wanted) if w.numel())
    apart = torch.stack([(g - w).norm() / w.norm().clamp_min(1e-12) for g, w in pairs])
    return apart.max().item()  # one synchronisation for all of them


def tolerance(output: object) -> float:
    """The largest allowed `distance` of a replayed block from the untouched one, by number type."""
    return TOLERANCE.get(next(_tensors(output)).dtype, LOW_PRECISION)


def shapes_of(args: tuple, kwargs: dict) -> list[torch.Size]:
    """Shapes `(B, L, ...)` of the tensors that a block is given: its kept values are for these alone."""
    return [x.shape for x in _tensors((*args, *kwargs.values())) if x.ndim > 2]


def _pairs(got: Any, wanted: object) -> Iterator[tuple[Tensor, Tensor]]:
    if isinstance(wanted, Tensor):
        yield got, wanted
    elif isinstance(wanted, tuple | list):
        for g, w in zip(got, wanted, strict=True):
            if g is not None:
                yield from _pairs(g, w)


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, tuple | list):
        for value in output:
            yield from _tensors(value)

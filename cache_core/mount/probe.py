"""The check of a mount against the untouched forward."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..site import Kind

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-4}
LOW_PRECISION = 1e-2


class Probe:
    """Stands in for a run: records the sites of one computed call, then replays them as predictions."""

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}
        self.replayed: frozenset[Kind] = frozenset()
        self.used: set[str] = set()

    def predicts(self, kind: Kind, *sites: str) -> bool:
        return kind in self.replayed

    def keeps(self, kind: Kind) -> bool:
        return not self.replayed

    def predict(self, kind: Kind, site: str) -> Tensor:
        self.used.add(site)
        return self.values[site].clone()

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        if not self.replayed:
            self.values[site] = value.clone()


def copied(value: object) -> object:
    """`value`, or a copy of it if it is a tensor: blocks write into their inputs."""
    return value.clone() if isinstance(value, Tensor) else value


def distance(got: object, wanted: object) -> float:
    """The largest relative L2 distance between two block outputs: a tensor, or a tuple of them."""
    pairs = zip(_tensors(got), _tensors(wanted), strict=True)
    return max(float((g.float() - w.float()).norm() / w.float().norm().clamp_min(1e-12)) for g, w in pairs)


def tolerance(output: object) -> float:
    """How far a replayed block may be from the untouched one, by number type."""
    return TOLERANCE.get(next(iter(_tensors(output))).dtype, LOW_PRECISION)


def _tensors(output: object) -> Iterable[Tensor]:
    return (output,) if isinstance(output, Tensor) else output

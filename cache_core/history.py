"""The last computed outputs of one site in one stream."""

from collections.abc import Sequence

import torch
from torch import Tensor

SAME = 1e-6  # relative distance below which two clock values are one node


class History:
    """At most `depth` samples, newest first. Predictions never enter it."""

    __slots__ = ("depth", "nodes", "values")

    def __init__(self, depth: int):
        self.depth = depth
        self.nodes: list[float] = []
        self.values: list[Tensor] = []

    def push(self, node: float, value: Tensor) -> int:
        """Add a sample and return by how many bytes the history grew. A repeated node replaces the older sample there."""
        before = self.bytes
        for i, known in enumerate(self.nodes):
            if abs(known - node) <= SAME * max(abs(known), abs(node)):
                del self.nodes[i], self.values[i]
                break
        self.nodes.insert(0, node)
        self.values.insert(0, value)
        del self.nodes[self.depth :], self.values[self.depth :]
        return self.bytes - before

    @property
    def bytes(self) -> int:
        return sum(v.numel() * v.element_size() for v in self.values)

    def combine(self, weights: Sequence[float]) -> Tensor:
        """The weighted sum of the newest samples: a fresh tensor, accumulated in float32, in the samples' own type."""
        if len(weights) == 1 and weights[0] == 1:
            return self.values[0].clone()
        total = self.values[0].to(torch.float32) * weights[0]
        for weight, value in zip(weights[1:], self.values[1:], strict=False):
            total.add_(value, alpha=weight)
        return total.to(self.values[0].dtype)

"""The last computed outputs of one site in one stream."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..predictor import Extrapolation
from ..timeline import SAME_NODE, same
from .transfer import Arrival, Transfer
from .value import PLAIN, Form, Kept, combine


class History:
    """At most `depth` samples, newest first. Predictions never enter it."""

    __slots__ = ("depth", "kept", "nodes")

    def __init__(self, depth: int):
        self.depth = depth
        self.nodes: list[float] = []
        self.kept: list[Kept] = []

    def push(self, node: float, value: Tensor, form: Form = PLAIN, transfer: Transfer | None = None) -> None:
        """Keep a copy of `value` `(...)`, the sample at clock value `node`. A repeated node replaces the older sample
        there; samples beyond `depth` make room first.

        A sample of another shape, number type or device is the first of a new history: it cannot be added to older
        ones.
        """
        if any(layout(kept) != (value.shape, value.dtype, value.device) for kept in self.kept):
            self.nodes.clear()
            self.kept.clear()
        for i, known in enumerate(self.nodes):
            if same(known, node, SAME_NODE):
                del self.nodes[i], self.kept[i]
                break
        del self.nodes[self.depth - 1 :], self.kept[self.depth - 1 :]
        self.kept.insert(0, Kept(value, form, transfer or Transfer()))
        self.nodes.insert(0, node)

    def move(self, device: torch.device) -> None:
        """Take every sample to `device`, as it is."""
        for kept in self.kept:
            kept.move(device)

    def drop(self, node: float) -> None:
        """Forget the sample at `node`, if it is still there."""
        if node in self.nodes:
            place = self.nodes.index(node)
            del self.nodes[place], self.kept[place]

    @property
    def device_bytes(self) -> int:
        """Bytes of all samples on their device."""
        return sum(kept.device_bytes for kept in self.kept)

    @property
    def host_bytes(self) -> int:
        """Bytes of all samples in host memory."""
        return sum(kept.host_bytes for kept in self.kept)

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor of the samples, of any shape: values, or codes and scales."""
        return (part for kept in self.kept for part in kept.parts)

    def fetch(self, transfer: Transfer) -> list[Arrival]:
        """All samples on the device, or on their way there."""
        return [kept.fetch(transfer) for kept in self.kept]

    def combine(self, weights: Sequence[float], arrivals: list[Arrival] | None = None) -> Tensor:
        """`sum_j w_j v_j` over the newest samples `v_0, v_1, ...`, accumulated in float32: a fresh tensor `(...)`, in
        the shape and number type of a sample. `arrivals`: the samples on the device, fetched if None."""
        arrivals = self.fetch(Transfer()) if arrivals is None else arrivals
        values = [kept.value(arrival) for kept, arrival, _ in zip(self.kept, arrivals, weights, strict=False)]
        if len(weights) == 1 and weights[0] == 1:
            return values[0].clone() if self.kept[0].owns(values[0]) else values[0]
        return combine(values, tuple(weights), self.kept[0].dtype)


def layout(kept: Kept) -> tuple[torch.Size, torch.dtype, torch.device]:
    """Shape, number type and device of a kept value, whatever its form."""
    return kept.parts[0].shape, kept.dtype, kept.device


def disagreement(histories: Sequence[History], high: Extrapolation, low: Extrapolation, node: float) -> float:
    """`||high - low|| / ||high||` of the two predictions at clock value `node`, over all `histories` together; inf if
    one has fewer than two samples."""
    if not histories or any(len(history.nodes) < 2 for history in histories):
        return float("inf")
    apart = size = torch.zeros((), dtype=torch.float32, device=histories[0].kept[0].device)
    for history in histories:
        value = history.combine(high.weights(history.nodes, node))
        apart = apart + (value - history.combine(low.weights(history.nodes, node))).square().sum(
            dtype=torch.float32
        ).to(apart.device)
        size = size + value.square().sum(dtype=torch.float32).to(size.device)
    return float((apart / size).sqrt())  # the one synchronisation of the evaluation

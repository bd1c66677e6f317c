"""Copies between the device and pinned host memory, on a stream of their own, beside the device's computing."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

Parts = tuple[Tensor, ...]
Result = TypeVar("Result")
OutOfMemory = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)


def afforded(work: Callable[[], Result], otherwise: Result) -> Result:
    """Result of `work`, or `otherwise` where there is no memory for it."""
    try:
        return work()
    except OutOfMemory:
        return otherwise


class Arrival:
    """Parts on their way back to the device. `landed`: the event to wait for; None if they are there."""

    def __init__(self, parts: Parts, landed: "torch.cuda.Event | None"):
        self._parts, self._landed = parts, landed

    def tensors(self) -> Parts:
        """The parts, perhaps still on their way."""
        return self._parts

    def parts(self) -> Parts:
        """The parts, once the device's current stream waits for them."""
        if self._landed is not None:
            stream = torch.cuda.current_stream(self._parts[0].device)
            stream.wait_event(self._landed)
            for part in self._parts:
                part.record_stream(stream)
        return self._parts


class Transfer:
    """Without an accelerator there is no other memory: copies are plain copies."""

    def __init__(self) -> None:
        self._streams: dict[torch.device, torch.cuda.Stream] = {}

    def out(self, parts: Parts) -> Parts:
        """Copies of `parts` in host memory. The parts must not be written to any more."""
        if not parts[0].is_cuda:
            return parts
        side = self._stream(parts[0].device)
        side.wait_stream(torch.cuda.current_stream(parts[0].device))
        with torch.cuda.stream(side):
            return tuple(self._to_host(part, side) for part in parts)

    def back(self, parts: Parts, device: torch.device) -> Arrival:
        """Copies of host `parts` on their way to the device."""
        if device.type != "cuda":
            return Arrival(tuple(part.clone() for part in parts), None)
        side = self._stream(device)
        with torch.cuda.stream(side):
            fresh = tuple(part.to(device, non_blocking=True) for part in parts)
            return Arrival(fresh, side.record_event())

    def _stream(self, device: torch.device) -> "torch.cuda.Stream":
        if device not in self._streams:
            self._streams[device] = torch.cuda.Stream(device)
        return self._streams[device]

    @staticmethod
    def _to_host(part: Tensor, side: "torch.cuda.Stream") -> Tensor:
        host = torch.empty(part.shape, dtype=part.dtype, pin_memory=True)
        host.copy_(part, non_blocking=True)
        part.record_stream(side)  # its memory is not reused before the copy is done
        return host

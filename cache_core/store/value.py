"""One kept value, in the form that its rung asks for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .eight_bit import dequantise, held, quantise
from .transfer import Arrival, Transfer


@dataclass(frozen=True)
class Form:
    """The way to keep a value: in host memory or on the device, as `codes` of 8 bits or as it is."""

    offloaded: bool = False
    codes: torch.dtype | None = None


PLAIN = Form()


class Kept:
    """A copy of a value `(..., C)`. It holds nothing of the caller's memory: blocks write into their inputs and
    outputs."""

    __slots__ = ("device", "dtype", "form", "parts", "proof")

    def __init__(self, value: Tensor, form: Form, transfer: Transfer):
        parts = quantise(value, held(form.codes, value.device)) if form.codes else (value.clone(),)
        self.device, self.dtype, self.form = value.device, value.dtype, form
        # NaN or infinite if any element of the value is; of 8 bits, by the scales
        self.proof = parts[-1].sum(dtype=torch.float32)
        self.parts = transfer.out(parts) if form.offloaded else parts

    def move(self, device: torch.device) -> None:
        """Come to `device` from another one. Parts in host memory stay there, to be fetched to `device` from now on."""
        if not self.form.offloaded:
            self.parts = tuple(part.to(device) for part in self.parts)
        self.device = device

    @property
    def bytes(self) -> int:
        """Bytes of all parts, wherever they are."""
        return sum(part.nbytes for part in self.parts)

    @property
    def device_bytes(self) -> int:
        """Bytes on the device."""
        return 0 if self.form.offloaded else self.bytes

    @property
    def host_bytes(self) -> int:
        """Bytes in host memory."""
        return self.bytes if self.form.offloaded else 0

    def fetch(self, transfer: Transfer) -> Arrival:
        """The parts on the device, or on their way there."""
        return transfer.back(self.parts, self.device) if self.form.offloaded else Arrival(self.parts, None)

    def value(self, arrival: Arrival) -> Tensor:
        """The value, in its shape and number type, of fetched parts; it may be the kept tensor itself."""
        parts = arrival.parts()
        return dequantise(parts[0], parts[1], self.dtype) if self.form.codes else parts[0]

    def owns(self, value: Tensor) -> bool:
        """True if `value` is kept memory, which nobody else may write into."""
        return any(value is part for part in self.parts)


def combine(values: list[Tensor], weights: tuple[float, ...], dtype: torch.dtype) -> Tensor:
    """`sum_j w_j v_j` of `values` of one shape `(...)`, accumulated in float32, in `dtype`: a fresh tensor `(...)`."""
    total = values[0].to(torch.float32) * weights[0]
    for weight, value in zip(weights[1:], values[1:], strict=False):
        total.add_(value, alpha=weight)
    return total.to(dtype)

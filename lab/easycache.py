"""EasyCache's rule, as ComfyUI's node of that name has it, around a velocity: for comparison with other caches.

The change of the output is foreseen from that of the input since the last computed step, by the ratio of both between
the last two; steps before START are not among them. Foreseen changes, relative to the last output, are summed at each
step, and the model runs again once the sum passes a threshold. In between the output is the input plus the last
difference of output and input. Facts: comfy_extras/nodes_easycache.py of ComfyUI 0.33.0, which does the same
(tests/host/test_solvers.py). It reads the first conditioning's output; this one reads the guided output, which without
guidance is the same.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from .ode import Velocity
from .sample import shifted_sigma

START, END = 0.15, 0.95  # of the sampling, between which outputs may be reused: the node's defaults
EVERY = 8  # places of a latent, in both directions, of which one is read
HALVINGS, HIGHEST = 9, 3.0  # in search of a threshold; the node's widget ends at 3

T = TypeVar("T")


class EasyCache:
    """A velocity that computes at some steps only. `shift`: of the sampling. `computed`: how often so far."""

    def __init__(self, velocity: Velocity, threshold: float, shift: float):
        self.velocity, self.threshold, self.computed = velocity, threshold, 0
        # in float32, as they are compared there: with `simple` and 20 steps the fourth is at START, up to rounding
        self.start, self.end = torch.tensor([shifted_sigma(1 - share, shift) for share in (START, END)]).tolist()
        self._last: tuple[Tensor, Tensor] | None = None  # input and output of the last step computed in between
        self._ratio: float | None = None  # change of the output per change of the input
        self._summed = 0.0

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        if not self.end < sigma <= self.start:
            return self._run(x, sigma)
        if self._last is None:
            self._last = x, self._run(x, sigma)
            return self._last[1]
        before, output = self._last
        moved = _change(x, before)
        if self._ratio is not None and self._reuses(self._ratio * moved / _size(output)):
            return x + (output - before)
        self._last = x, self._run(x, sigma)
        self._ratio = _change(self._last[1], output) / moved
        return self._last[1]

    def _reuses(self, foreseen: float) -> bool:
        """True if the sum of the foreseen changes stays below the threshold; else it starts anew."""
        self._summed += foreseen
        if self._summed < self.threshold:
            return True
        self._summed = 0.0
        return False

    def _run(self, x: Tensor, sigma: float) -> Tensor:
        self.computed += 1
        return self.velocity(x, sigma)


def _change(value: Tensor, before: Tensor) -> float:
    return _size((value - before)[..., ::EVERY, ::EVERY])


def _size(value: Tensor) -> float:
    return float(value.abs().mean())


def at_most(sampled: Callable[[float], tuple[int, T]], count: int) -> tuple[int, T]:
    """What `sampled` gives, evaluations first, at the lowest threshold that computes at most `count` steps, by
    bisection; at the highest threshold if none does."""
    low, high = 0.0, HIGHEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if sampled(middle)[0] <= count else (middle, high)
    return sampled(high)

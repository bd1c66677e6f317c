"""EasyCache's rule, as ComfyUI's node of that name has it, around a velocity: for comparison with other caches.

The output's change is foreseen from the input's, by their ratio at the last computed step; foreseen changes, relative
to the last output, are summed, and the model runs again once the sum passes a threshold. In between the output is the
input plus the last difference of both. (comfy_extras/nodes_easycache.py, ComfyUI 0.33.0.)
"""

from collections.abc import Callable

from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]
START, END = 0.15, 0.95  # share of the sampling between which outputs may be reused: the node's defaults
HALVINGS = 7  # in search of a threshold


class EasyCache:
    """A velocity that computes at some steps only. `computed`: how often so far."""

    def __init__(self, velocity: Velocity, threshold: float, start: float, end: float):
        self.velocity, self.threshold, self.start, self.end = velocity, threshold, start, end
        self.computed, self._summed, self._ratio = 0, 0.0, 0.0
        self._input: Tensor | None = None
        self._output: Tensor | None = None
        self._difference: Tensor | None = None

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        if self._input is not None and self._difference is not None and self.end <= sigma <= self.start:
            foreseen = self._ratio * _size(x - self._input) / max(_size(self._output), 1e-12)
            self._summed += foreseen
            if self._ratio and self._summed < self.threshold:
                self._input = x
                return x + self._difference
        return self._run(x, sigma)

    def _run(self, x: Tensor, sigma: float) -> Tensor:
        output = self.velocity(x, sigma)
        if self._input is not None and self._output is not None:
            self._ratio = _size(output - self._output) / max(_size(x - self._input), 1e-12)
        self.computed, self._summed = self.computed + 1, 0.0
        self._input, self._output, self._difference = x, output, output - x
        return output


def _size(value: Tensor | None) -> float:
    return 0.0 if value is None else float(value.abs().mean())


def thresholded(
    solve: Callable[[Velocity], Tensor], velocity: Velocity, sigmas: tuple[float, ...], count: int
) -> tuple[Tensor, int]:
    """Samples with the lowest threshold that computes at most `count` steps, and how many it computes."""
    start, end = (sigmas[round(share * (len(sigmas) - 1))] for share in (START, END))
    low, high, found = 0.0, 4.0, None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        cache = EasyCache(velocity, middle, start, end)
        samples = solve(cache)
        if cache.computed <= count:
            high, found = middle, (samples, cache.computed)
        else:
            low = middle
    return found or (samples, cache.computed)

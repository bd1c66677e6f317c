"""Readings of the indicators: one number for each evaluation. What they need of earlier ones is held here."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from ..plan import Plan
from ..predictor import Extrapolation
from ..schedule import Added, Displacement, Filtered, Foreseen, Indicator, Modulated, Probe
from ..site import Kind
from ..store import Store
from ..store.history import disagreement
from .spectral import filtered

MOST = 2**24  # elements of an input that are kept; of a larger one those of evenly taken tokens
CHUNK = 2**22  # elements that are compared at a time, in float32
LEAST = 1e-30  # of a divisor
MOST_GAIN = 1.5  # DiCache's bound
UNKNOWN = float("inf")  # the reading where there is nothing to compare with: it computes

Patch = int | tuple[int, ...]  # latent cells to a token, along each axis, or along height and width


class Reader(Protocol):
    """The readings of one indicator in one run."""

    def read(self, value: Tensor, sigma: float, time: float, forced: bool) -> float:
        """The reading for a state, or a first block's input; `forced`: the evaluation is computed in any case."""
        ...

    def computed(self) -> None:
        """The value read last belongs to an evaluation that is computed."""
        ...


class Displaced:
    """Readings of Displacement and Added."""

    def __init__(self) -> None:
        self._last: Tensor | None = None
        self._computed: Tensor | None = None

    def read(self, value: Tensor, sigma: float, time: float, forced: bool) -> float:
        """Relative L1 distance from the state that was computed last."""
        self._last = value.detach().clone()
        return distance(self._last, self._computed)

    def computed(self) -> None:
        """The state read last is the one that distances are taken from."""
        self._computed = self._last


class Foretold:
    """Readings of Foreseen. `ratio`: k, None until two computed evaluations are known."""

    def __init__(self) -> None:
        self.ratio: float | None = None
        self._newest: tuple[Tensor, float] | None = None  # state and sigma
        self._pending: tuple[Tensor, float] | None = None  # of a computed evaluation whose output is still to be seen
        self._computed: tuple[Tensor, Tensor] | None = None  # state and output of the last one

    def read(self, value: Tensor, sigma: float, time: float, forced: bool) -> float:
        """Foreseen change of the output since the last computed evaluation, relative."""
        x = value.detach().float().clone()
        self._newest = x, sigma
        if self._pending is not None:
            self._learn(*self._pending, x, sigma)
            self._pending = None
        if self.ratio is None or self._computed is None:
            return UNKNOWN
        state, output = self._computed
        return self.ratio * size(x - state) / max(size(output), LEAST)

    def _learn(self, state: Tensor, then: float, x: Tensor, sigma: float) -> None:
        """Note the output of the evaluation of `state` at sigma `then`, after which the sampler has come to `x`."""
        before, self._computed = self._computed, None
        if state.shape == x.shape and then != sigma:
            self._computed = state, (x - state) / (sigma - then)
        self.ratio = None
        if before and self._computed:
            (old, was), (new, now) = before, self._computed
            self.ratio = size(now - was) / max(size(new - old), LEAST) if old.shape == new.shape else None

    def computed(self) -> None:
        """The output of the evaluation read last will count, once the next state shows it."""
        self._pending = self._newest


class Changed:
    """Readings of Modulated and Filtered: each input is compared with the one before, computed or not."""

    def __init__(self, indicator: Modulated | Filtered):
        self.indicator = indicator
        self._before: Tensor | None = None

    def read(self, value: Tensor, sigma: float, time: float, forced: bool) -> float:
        """Relative L1 change since the evaluation before. Filtered: `value` is `(B, C, ...)`, on its latent grid."""
        before, self._before = self._before, self._kept(value.detach(), time, forced)
        return distance(self._before, before)

    def _kept(self, value: Tensor, time: float, forced: bool) -> Tensor:
        """A copy of the compared part of an input: of `(B, L, C)` evenly taken tokens, of a grid evenly taken
        channels."""
        every = -(-value.numel() // MOST)
        part = value[:, ::every]
        if not isinstance(self.indicator, Filtered):
            return part.clone()
        unfiltered = forced and not self.indicator.forced_too
        return part.float().clone() if unfiltered else filtered(part.float(), time, self.indicator.beta)

    def computed(self) -> None:
        """Nothing: the input before counts, computed or not."""


class Probing:
    """Readings of Probe. `gain`: how far the value has moved from the last but one computed one, relative to the last
    computed one, `mean|p - p_2| / mean|p_1 - p_2|`, in [1, 1.5]; None until two are known."""

    def __init__(self) -> None:
        self.gain: float | None = None
        self._newest: Tensor | None = None
        self._computed: tuple[Tensor, ...] = ()  # newest first

    def read(self, value: Tensor, sigma: float, time: float, forced: bool) -> float:
        """Relative L1 change since the evaluation before."""
        before, self._newest = self._newest, value.detach().clone()
        self.gain = self._gain(self._newest)
        return distance(self._newest, before)

    def computed(self) -> None:
        """The value read last is the newest computed one."""
        if self._newest is not None:
            self._computed = (self._newest, *self._computed[:1])

    def _gain(self, value: Tensor) -> float | None:
        if len(self._computed) < 2 or any(value.shape != own.shape for own in self._computed):
            return None
        last, older = self._computed
        moved, step = size(value - older), size(last - older)
        return min(MOST_GAIN, max(1.0, moved / step)) if step else None


class Disagreeing:
    """Readings of Disagreement, of the last outputs of the model in `store`. `node`: the sigma at which it was last
    computed.

    A predictor without orders is judged by the extrapolations of order 2 and 1.
    """

    def __init__(self, plan: Plan, store: Store):
        self.store, self.node = store, float("nan")
        self._pair = (plan.predictor if isinstance(plan.predictor, Extrapolation) else Extrapolation(2)).pair()

    def read(self, sigma: float) -> float:
        """Disagreement at `sigma`; of several modalities that of the one that is furthest off."""
        # the streams of the last computed evaluation
        sites = [[h for h in histories if h.nodes[0] == self.node] for histories in self.store.by_site(Kind.MODEL)]
        return max([disagreement(newest, *self._pair, sigma) for newest in sites], default=UNKNOWN)


def reader_of(indicator: Indicator) -> Reader:
    """A reader of an indicator that a state, or a first block's input, tells."""
    if isinstance(indicator, Modulated | Filtered):
        return Changed(indicator)
    if isinstance(indicator, Probe):
        return Probing()
    if isinstance(indicator, Foreseen):
        return Foretold()
    if isinstance(indicator, Displacement | Added):
        return Displaced()
    raise TypeError(f"{type(indicator).__name__} is read from outputs.")


def size(value: Tensor) -> float:
    """Mean magnitude of a tensor, in float32."""
    return float(value.abs().mean(dtype=torch.float32))


def distance(value: Tensor, reference: Tensor | None) -> float:
    """Relative L1 distance `mean|value - reference| / mean|reference|` over all elements, summed in float32; infinite
    where there is no reference of that shape and number type."""
    if reference is None or reference.shape != value.shape or reference.dtype != value.dtype:
        return UNKNOWN
    reference = reference.to(value.device)
    apart = magnitude = torch.zeros((), device=value.device)
    for a, b in zip(value.flatten().split(CHUNK), reference.flatten().split(CHUNK), strict=True):
        apart = apart + (a.float() - b.float()).abs().sum()
        magnitude = magnitude + b.float().abs().sum()
    return float(apart / magnitude)


def on_grid(value: Tensor, cells: tuple[int, ...], patch: Patch) -> Tensor | None:
    """The first tokens of an input `(B, L, C)` on the grid `(B, C, ...)` of a latent with so many `cells` along each
    axis; None where there are fewer tokens than places."""
    axes = len(cells)
    sizes = (1,) * (axes - 2) + (patch, patch) if isinstance(patch, int) else patch
    grid = tuple(-(-count // size) for count, size in zip(cells, sizes[-axes:], strict=False))
    places = math.prod(grid)
    if value.ndim != 3 or len(grid) != axes or axes < 1 or value.shape[1] < places:
        return None
    return value[:, :places].movedim(-1, 1).unflatten(-1, grid)

"""All kept values of a run, within a budget."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from math import isfinite

import torch
from torch import Tensor

from ..site import Kind
from .history import History
from .kept import PLAIN
from .rung import Budget, Footprint, Rung
from .transfer import Arrival, OutOfMemory, Transfer, afforded

Key = tuple[Kind, str, int]  # kind and name of a site, number of a stream


class Full(Exception):
    """What is kept has passed the budget."""


class Store:
    """Histories by key. `rung` says in which form values are kept from now on; older ones stay as they are.

    `bytes` are on the device, values fetched ahead included; `host_bytes` in host memory. Values in host memory are fetched ahead, in the
    order in which they were first kept, as far as `window` bytes reach.
    """

    def __init__(self, rungs: tuple[Rung, ...] = (Rung(),)):
        self.ladder, self.budget = rungs, Budget()  # the rungs that are left, the one in use first
        self.window: float = float("inf")
        self.used = False  # whether any site inside the model was kept
        self.bytes = self.peak_bytes = self.host_bytes = self.peak_host_bytes = 0
        self._histories: dict[Key, History] = {}
        self._transfer = Transfer()
        self._queue: deque[Key] = deque()
        self._ahead: dict[Key, tuple[list[Arrival], int]] = {}  # and the bytes that they add to the device
        self._ahead_bytes = 0
        self._unproven: list[tuple[Key, float, Tensor]] = []  # where a value is kept, and its proof
        self._given: dict[tuple[str, int], tuple] = {}  # shapes that a block was last given in a stream, without the batch

    def __contains__(self, key: Key) -> bool:
        return key in self._histories

    def __iter__(self) -> Iterator[Key]:
        return iter(self._histories)

    def __getitem__(self, key: Key) -> History:
        return self._histories[key]

    def of(self, kind: Kind) -> list[History]:
        return [history for key, history in self._histories.items() if key[0] is kind]

    @property
    def rung(self) -> Rung:
        return self.ladder[0]

    def fit(self, footprint: Footprint, budget: Budget) -> bool:
        """Go to the first rung that fits `budget`; False, and nothing changes, if there is none."""
        self.budget, self.window = budget, footprint.window
        fitting = tuple(rung for rung in self.ladder if footprint.fits(rung, budget))
        self.ladder = fitting or self.ladder
        return bool(fitting)

    def step_down(self) -> bool:
        """Go to the next rung; False if there is none."""
        below = self.ladder[1:]
        self.ladder = below or self.ladder
        return bool(below)

    def push(self, key: Key, node: float, value: Tensor, depth: int) -> None:
        """Keep a copy of `value`. Raises Full if the budget is passed; the value is kept all the same, for the caller to forget."""
        self.used |= key[0] is not Kind.MODEL
        history = self._histories.setdefault(key, History(depth))
        self._land(key)
        self._count(-history.device_bytes, -history.host_bytes)
        try:
            history.push(node, value, PLAIN if key[0] is Kind.MODEL else self.rung.form, self._transfer)
        finally:
            self._count(history.device_bytes, history.host_bytes)
        self._unproven.append((key, node, history.kept[0].proof))
        if self.bytes > self.budget.device or self.host_bytes > self.budget.host:
            raise Full
        self.peak_bytes, self.peak_host_bytes = max(self.peak_bytes, self.bytes), max(self.peak_host_bytes, self.host_bytes)

    def enter(self, block: str, streams: Sequence[int], shapes: Sequence[torch.Size]) -> bool:
        """Forget what is kept of a block in streams in which it was last given other shapes than now; returns whether there were any."""
        given = tuple(tuple(shape[1:]) for shape in shapes)
        stale = {stream for stream in streams if self._given.get((block, stream), given) != given}
        self._given.update(((block, stream), given) for stream in streams)
        if stale:
            self.forget(key for key in self if key[2] in stale and key[1].startswith(f"{block}."))
        return bool(stale)

    def prove(self) -> list[Kind]:
        """Forget, of the values kept since the last time, those with a NaN or an infinity in them; returns their kinds. To be called before anything
        is predicted. It waits for each device once."""
        unproven, self._unproven, spoilt = self._unproven, [], []
        for device in dict.fromkeys(proof.device for *_, proof in unproven):
            keys, nodes, proofs = zip(*(found for found in unproven if found[2].device == device), strict=True)
            sound = afforded(lambda proofs=proofs: torch.stack(proofs).isfinite().tolist(), []) or list(map(isfinite, proofs))
            spoilt += [pair for *pair, good in zip(keys, nodes, sound, strict=True) if not good]
        for key, node in spoilt:
            self._drop(key, node)
        return list(dict.fromkeys(key[0] for key, _ in spoilt))

    def _drop(self, key: Key, node: float) -> None:
        history = self._histories.get(key)
        if history is None:
            return
        self._count(-history.device_bytes, -history.host_bytes)
        history.drop(node)
        self._count(history.device_bytes, history.host_bytes)
        if not history.nodes:
            self.forget([key])

    def combine(self, key: Key, weights: Sequence[float]) -> Tensor:
        """The weighted sum of the newest samples of `key`: a fresh tensor."""
        if self._queue and self._queue[0] == key:
            self._queue.popleft()
        history, arrivals = self._histories[key], self._land(key)
        value = history.combine(weights, arrivals or history.fetch(self._transfer))
        self._fetch_ahead()
        return value

    def begin(self, kinds: Collection[Kind]) -> None:
        """A new evaluation, which will predict `kinds`."""
        for key in list(self._ahead):
            self._land(key)
        self._queue = deque(key for key, history in self._histories.items() if key[0] in kinds and history.host_bytes)
        self._fetch_ahead()

    def forget(self, keys: Iterable[Key]) -> None:
        for key in list(keys):
            history = self._histories.pop(key)
            self._count(-history.device_bytes, -history.host_bytes)
            self._land(key)

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor kept, wherever it is."""
        for history in self._histories.values():
            yield from history.tensors()
        yield from (part for arrivals, _ in self._ahead.values() for arrival in arrivals for part in arrival.tensors())

    def close(self) -> None:
        """Drop every tensor; the peaks stay."""
        self._queue.clear()
        self._unproven.clear()
        self.forget(self._histories)

    def _fetch_ahead(self) -> None:
        try:
            self._fetch_while_it_fits()
        except OutOfMemory:
            self.window = self._ahead_bytes  # what is not ahead comes when it is needed

    def _fetch_while_it_fits(self) -> None:
        while self._queue:
            key = self._queue[0]
            history = self._histories.get(key)
            size = history.host_bytes if history else 0
            if self._ahead_bytes + size > self.window or self.bytes + size > self.budget.device:
                return
            self._queue.popleft()
            if history:
                self._ahead[key] = (history.fetch(self._transfer), size)
                self._ahead_bytes += size
                self._count(size, 0)
                self.peak_bytes = max(self.peak_bytes, self.bytes)

    def _land(self, key: Key) -> list[Arrival]:
        """What was fetched ahead of `key`, which then no longer counts as kept."""
        arrivals, size = self._ahead.pop(key, ([], 0))
        self._ahead_bytes -= size
        self._count(-size, 0)
        return arrivals

    def _count(self, device: int, host: int) -> None:
        self.bytes += device
        self.host_bytes += host

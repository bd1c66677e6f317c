"""The kept values of a run, within a budget."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import isfinite

import torch
from torch import Tensor

from ..site import LATENT, Kind
from .history import History
from .rung import Budget, Footprint, Rung
from .transfer import Arrival, OutOfMemory, Transfer, afforded
from .value import PLAIN

Key = tuple[Kind, str, int]  # kind and name of a site, number of a stream
Unproven = tuple[Key, float, Tensor]  # key and node of a kept value, and its proof


class Full(Exception):
    """Raised when the kept values have passed the budget."""


class Store:
    """Histories by key. `ladder`: the rungs that are left. The first says in which form values are kept from now on;
    older values stay as they are.

    `bytes` include values fetched ahead; `host_bytes` are those of all devices. `budget`: that of every device that
    `budgets` does not name. Values in host memory are fetched ahead, for each device in the order in which they were
    first kept, as far as `window` bytes reach. `outside`: the context for making tensors that may outlast their block;
    where a model replays its allocations, others get their memory.
    """

    def __init__(
        self, rungs: tuple[Rung, ...] = (Rung(),), outside: Callable[[], AbstractContextManager[object]] = nullcontext
    ):
        self.ladder, self.budget, self.window = rungs, Budget(), float("inf")
        self.used = False  # whether any site inside the model was kept
        self.budgets: dict[torch.device, Budget] = {}
        self.host_bytes = self.peak_host_bytes = 0
        self._outside, self._transfer = outside, Transfer()
        self._on, self._peaks, self._ahead_bytes = (Counter[torch.device]() for _ in range(3))  # bytes
        self._histories: dict[Key, History] = {}
        self._queues: dict[torch.device, deque[Key]] = {}  # still to be fetched in this evaluation
        self._ahead: dict[Key, tuple[list[Arrival], torch.device, int]] = {}  # the last: their bytes on the device
        self._unproven: list[Unproven] = []

    def __contains__(self, key: Key) -> bool:
        return key in self._histories

    def __iter__(self) -> Iterator[Key]:
        return iter(self._histories)

    def __getitem__(self, key: Key) -> History:
        return self._histories[key]

    def of(self, kind: Kind) -> list[History]:
        """The histories of `kind`, of all sites and streams."""
        return [history for key, history in self._histories.items() if key[0] is kind]

    def by_site(self, kind: Kind) -> list[list[History]]:
        """The histories of `kind`, of all streams, site by site."""
        sites = dict.fromkeys(key[1] for key in self._histories if key[0] is kind)
        return [[h for key, h in self._histories.items() if key[:2] == (kind, site)] for site in sites]

    @property
    def bytes(self) -> int:
        """Bytes on the device that holds most."""
        return max(self._on.values(), default=0)

    @property
    def peak_bytes(self) -> int:
        """The most bytes that any one device has held."""
        return max(self._peaks.values(), default=0)

    def on(self, device: torch.device) -> int:
        """Bytes on `device`."""
        return self._on[device]

    @property
    def rung(self) -> Rung:
        """The rung in use."""
        return self.ladder[0]

    def choose_rung(self, footprint: Footprint, budget: Budget, device: torch.device | None = None) -> bool:
        """Go to the first rung that `budget` holds, that of `device` or of every one; False, and the rung stays, if
        there is none."""
        self.window = footprint.window
        if device is None:
            self.budget = budget
        else:
            self.budgets[device] = budget
        held = tuple(rung for rung in self.ladder if budget.holds(footprint.needs(rung)))
        self.ladder = held or self.ladder
        return bool(held)

    def step_down(self) -> bool:
        """Go to the next rung; False if there is none."""
        below = self.ladder[1:]
        self.ladder = below or self.ladder
        return bool(below)

    def push(self, key: Key, node: float, value: Tensor, depth: int) -> None:
        """Keep a copy of `value` `(B, ...)`, the rows of one stream, as the sample at clock value `node`; `depth`: the
        most samples of `key`. Raises Full if the budget is passed; the value is kept all the same, for the caller to
        forget."""
        self.used |= key[0] not in LATENT
        history = self._histories.setdefault(key, History(depth))
        self._land(key)
        with self._counted(history), self._outside():
            history.push(node, value, PLAIN if key[0] in LATENT else self.rung.form, self._transfer)
        self._unproven.append((key, node, history.kept[0].proof))
        budget = self._budget(value.device)
        if self._on[value.device] > budget.device or self.host_bytes > budget.host:
            raise Full
        self._note_peak(value.device)

    def move(self, keys: Collection[Key], device: torch.device) -> bool:
        """Take the values of `keys` to `device`, as they are; False, and nothing is moved, where they would pass the
        budget there."""
        histories = [self._histories[key] for key in keys]
        arriving = sum(kept.device_bytes for history in histories for kept in history.kept if kept.device != device)
        if self._on[device] + arriving > self._budget(device).device:
            return False
        for key, history in zip(keys, histories, strict=True):
            self._land(key)
            with self._counted(history):
                history.move(device)
        self._note_peak(device)
        return True

    def prove(self) -> list[Kind]:
        """Kinds of the values kept since the last time that have a NaN or an infinity in them; they are forgotten. To
        be called before anything is predicted. It waits for each device once."""
        unproven, self._unproven = self._unproven, []
        devices = dict.fromkeys(proof.device for *_, proof in unproven)
        spoilt = [each for device in devices for each in _spoilt([u for u in unproven if u[2].device == device])]
        for key, node, _ in spoilt:
            self._drop(key, node)
        return list(dict.fromkeys(key[0] for key, *_ in spoilt))

    def _drop(self, key: Key, node: float) -> None:
        history = self._histories.get(key)
        if history is None:
            return
        with self._counted(history):
            history.drop(node)
        if not history.nodes:
            self.forget([key])

    def combine(self, key: Key, weights: Sequence[float]) -> Tensor:
        """`sum_j w_j v_j` over the newest samples of `key`: a fresh tensor `(B, ...)`, the rows of one stream."""
        history, arrivals = self._histories[key], self._land(key)
        device = history.kept[0].device
        queue = self._queues.get(device) if self._queues else None
        if queue and queue[0] == key:
            queue.popleft()
        with self._outside():
            value = history.combine(weights, arrivals or history.fetch(self._transfer))
            if queue:
                self._fetch_ahead(device)
        return value

    def begin(self, kinds: Collection[Kind]) -> None:
        """Start an evaluation that will predict `kinds`."""
        for key in list(self._ahead):
            self._land(key)
        self._queues = {}
        for key, history in self._histories.items():
            if key[0] in kinds and history.host_bytes:
                self._queues.setdefault(history.kept[0].device, deque()).append(key)
        for device in self._queues:
            self._fetch_ahead(device)

    def forget(self, keys: Iterable[Key]) -> None:
        """Drop the histories of `keys`."""
        for key in list(keys):
            self._count(self._histories.pop(key), -1)
            self._land(key)

    def tensors(self) -> Iterator[Tensor]:
        """Every kept tensor, of any shape, wherever it is."""
        for history in self._histories.values():
            yield from history.tensors()
        yield from (part for arrivals, *_ in self._ahead.values() for arrival in arrivals for part in arrival.tensors())

    def close(self) -> None:
        """Drop every tensor; the peaks stay."""
        self._queues.clear()
        self._unproven.clear()
        self.forget(self._histories)

    def _fetch_ahead(self, device: torch.device) -> None:
        """Fetch the values that are read next on `device`, as far as window and budget reach."""
        queue = self._queues[device]
        while queue:
            history = self._histories.get(queue[0])
            if history is None or history.kept[0].device != device or not (size := history.host_bytes):
                queue.popleft()
                continue
            if self._ahead_bytes[device] + size > self.window or self._on[device] + size > self._budget(device).device:
                return
            try:
                arrivals = history.fetch(self._transfer)
            except OutOfMemory:
                self.window = self._ahead_bytes[device]  # the others come when they are read
                return
            self._ahead[queue.popleft()] = (arrivals, device, size)
            self._ahead_bytes[device] += size
            self._on[device] += size
            self._note_peak(device)

    def _land(self, key: Key) -> list[Arrival]:
        """The values of `key` that were fetched ahead; they no longer count as kept."""
        arrivals, device, size = self._ahead.pop(key, ([], None, 0))
        if device is not None:
            self._ahead_bytes[device] -= size
            self._on[device] -= size
        return arrivals

    @contextmanager
    def _counted(self, history: History) -> Iterator[None]:
        """The context in which to change `history`, so that its bytes are counted, whatever happens."""
        self._count(history, -1)
        try:
            yield
        finally:
            self._count(history, 1)

    def _count(self, history: History, sign: int) -> None:
        for kept in history.kept:
            self._on[kept.device] += sign * kept.device_bytes
            self.host_bytes += sign * kept.host_bytes

    def _note_peak(self, device: torch.device) -> None:
        self._peaks[device] = max(self._peaks[device], self._on[device])
        self.peak_host_bytes = max(self.peak_host_bytes, self.host_bytes)

    def _budget(self, device: torch.device) -> Budget:
        return self.budgets.get(device, self.budget)


def _spoilt(unproven: Sequence[Unproven]) -> list[Unproven]:
    """The values on one device whose proof is not finite."""
    proofs = [proof for *_, proof in unproven]
    sound = afforded(lambda: torch.stack(proofs).isfinite().tolist(), []) or [isfinite(proof) for proof in proofs]
    return [each for each, good in zip(unproven, sound, strict=True) if not good]

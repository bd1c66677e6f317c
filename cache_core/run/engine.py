"""A call of the model, and of each site within it: predicted, or computed and remembered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Size, Tensor

from ..modality import apart
from ..site import Kind
from ..store import OutOfMemory
from .run import Run, site_of


class Source(Protocol):
    """Past values `(B, ...)` of sites, and the place for new ones: a Run, or a Replay while a mount is checked. B: the
    rows of the model call underway."""

    def enter(self, block: str, shapes: Sequence[Size]) -> None:
        """A block is about to be given tensors of these shapes."""
        ...

    def predicts(self, kind: Kind, *sites: str) -> bool:
        """True if these sites are predicted in this call."""
        ...

    def keeps(self, kind: Kind) -> bool:
        """True if a value of `kind` computed now will be used."""
        ...

    def predict(self, kind: Kind, site: str) -> Tensor:
        """The predicted value of a site, a fresh tensor."""
        ...

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        """Keep a computed value of a site, if a later step needs it."""
        ...


class Installable(Protocol):
    """Sites within a model, put in reach for the length of one call: `mount.Mounts`, which imports this package."""

    def installed(self) -> AbstractContextManager[None]:
        """The context of one call of the model in which its sites answer."""
        ...


def call(source: Source, kind: Kind, site: str, compute: Callable[[], Tensor]) -> Tensor:
    """Value `(B, ...)` of `site` in this evaluation: predicted if the plan says so and every row has past values, else
    the result of `compute`, remembered."""
    if source.predicts(kind, site):
        return source.predict(kind, site)
    value = compute()
    source.remember(kind, site, value)
    return value


def evaluate(
    run: Run,
    conditionings: Sequence[Hashable],
    signature: Hashable,
    model: Callable[[], Tensor],
    mounts: Installable | None = None,
    device: torch.device | None = None,
    once: bool = False,
    sizes: Sequence[int] = (),
) -> Tensor:
    """Raw output `(B, C, ...)` of one call of the model on `device`, whose B rows belong to `conditionings` in order
    (see Run.calling).

    `once`: the call must not be repeated when memory runs out in it, because it gathers results of other threads.
    `sizes`: lengths of the modalities that the output is packed from, each of which is predicted from its own past.
    """

    def output() -> Tensor:
        return _output(run, sizes, lambda: _installed(model, mounts))

    with run.calling(conditionings, signature, device):
        return _surviving(run, output, once)


def pass_through(
    run: Run,
    conditionings: Sequence[Hashable],
    signature: Hashable,
    model: Callable[[], Tensor],
    mounts: Installable | None,
    device: torch.device | None = None,
) -> Tensor:
    """Result `(B, ...)` of `model`, unchanged, for a call whose output is neither cached nor corrected: only the sites
    within it are. Other arguments as of `evaluate`."""
    with run.calling(conditionings, signature, device):
        return _surviving(run, lambda: _installed(model, mounts))


def _output(run: Run, sizes: Sequence[int], compute: Callable[[], Tensor]) -> Tensor:
    """Output `(B, C, ...)`: predicted, one modality after the other, if all of them can be; else computed, remembered,
    and corrected."""
    sites = [site_of(Kind.MODEL, place) for place in range(max(1, len(sizes)))]
    if run.predicts(Kind.MODEL, *sites):
        return _packed([run.predict(Kind.MODEL, site) for site in sites])
    value = compute()
    parts = apart(value, sizes)
    for place, part in enumerate(parts):
        run.remember(Kind.MODEL, site_of(Kind.MODEL, place), part)
    corrected = [run.corrected(part, place) for place, part in enumerate(parts)]
    unchanged = all(own is part for own, part in zip(corrected, parts, strict=True))
    return value if unchanged else _packed(corrected)


def _packed(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=-1)


def _installed(model: Callable[[], Tensor], mounts: Installable | None) -> Tensor:
    with mounts.installed() if mounts else nullcontext():
        return model()


def _surviving(run: Run, work: Callable[[], Tensor], once: bool = False) -> Tensor:
    """Result of `work`. Where memory runs out in it, the cache gives way and it is done once more, computed as if
    there were no cache."""
    try:
        return work()
    except OutOfMemory:
        if once or not run.give_way():
            raise
    return work()  # outside the handler, so that the traceback holds no tensors of the first try

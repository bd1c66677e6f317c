"""The only place where schedule, site, predictor and history meet."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor

from ..site import Kind
from ..store import OutOfMemory
from .run import MODEL_SITE, Run


class Installable(Protocol):
    """Sites within a model, put in reach for the length of one call (mount.Mounts)."""

    def installed(self) -> AbstractContextManager[None]: ...


def call(run: Run, kind: Kind, site: str, compute: Callable[[], Tensor]) -> Tensor:
    """The value of `site` in this evaluation: predicted if the plan says so and the past allows it, else computed
    and remembered.

    If one conditioning of the call has no history, the whole call is computed.
    """
    if run.predicts(kind, site):
        return run.predict(kind, site)
    value = compute()
    run.remember(kind, site, value)
    return value


def evaluate(
    run: Run,
    conditionings: Sequence[Hashable],
    signature: Hashable,
    model: Callable[[], Tensor],
    mounts: Installable | None = None,
    device: torch.device | None = None,
    once: bool = False,
) -> Tensor:
    """The raw output of one call of the model on `device`, whose rows belong to `conditionings` in order (see
    Run.calling).

    `once`: the call must not be repeated when memory runs out in it, because it gathers what other threads compute.
    """

    def compute() -> Tensor:
        return _installed(model, mounts)

    with run.calling(conditionings, signature, device):
        return _surviving(run, lambda: run.corrected(call(run, Kind.MODEL, MODEL_SITE, compute)), once)


def pass_through(
    run: Run,
    conditionings: Sequence[Hashable],
    signature: Hashable,
    model: Callable[[], Tensor],
    mounts: Installable | None,
    device: torch.device | None = None,
) -> Tensor:
    """The same for a call whose output is not cached and never corrected, whatever `model` returns: only the sites
    within it are."""
    with run.calling(conditionings, signature, device):
        return _surviving(run, lambda: _installed(model, mounts))


def _installed(model: Callable[[], Tensor], mounts: Installable | None) -> Tensor:
    with mounts.installed() if mounts else nullcontext():
        return model()


def _surviving(run: Run, work: Callable[[], Tensor], once: bool = False) -> Tensor:
    """What `work` returns. Where memory runs out in it, the cache gives way, and it is done once more: computed, as
    if there were none."""
    try:
        return work()
    except OutOfMemory:
        if once or not run.give_way():
            raise
    return work()  # outside the handler, so that the traceback holds no tensors of the first try

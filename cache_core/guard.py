"""Refreshes that come a step earlier where the model turns away from what its plan was made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

import torch

from .evaluation import Evaluation
from .predictor import lagrange, same
from .schedule import Table
from .site import Kind
from .store.history import History

if TYPE_CHECKING:
    from .plan import Plan

Expected = tuple[tuple[float, float], ...]  # sigma and error of each refresh
MARGIN = 2.0  # times the expected error that is still borne: ordinary pictures differ by half of it from those that a plan was made with
DEPTH = 3  # samples: the one just computed, and two that would have predicted it


class Watchman(Protocol):
    """Is told the error seen at each refresh: relative L2 distance of the computed output to what order 2 would have made of it."""

    def exceeded(self, sigma: float, error: float) -> bool:
        """Whether the next refresh should come one step earlier."""
        ...


@dataclass(frozen=True)
class Guard:
    """`expected`: sigma and error of each refresh, as they were when the plan was made."""

    expected: Expected

    def exceeded(self, sigma: float, error: float) -> bool:
        known = next((expected for node, expected in self.expected if same(node, sigma)), None)
        return known is not None and not error <= MARGIN * known  # so that NaN moves, too


@dataclass
class Listener:
    """Hears the errors that a Guard will expect, in one run or several."""

    heard: dict[float, list[float]] = field(default_factory=dict)

    def exceeded(self, sigma: float, error: float) -> bool:
        self.heard.setdefault(sigma, []).append(error)
        return False

    def expected(self) -> Expected:
        """The root mean square over the runs."""
        return tuple((sigma, sqrt(fmean(error**2 for error in errors))) for sigma, errors in self.heard.items())


def refresh_error(histories: Sequence[History]) -> float | None:
    """The error at the newest sample of all `histories` together, or None where there are too few. The same on every rank of a run on several
    devices, whose shares are added up."""
    if not histories or any(len(history.nodes) < DEPTH for history in histories):
        return None
    sums = torch.zeros(2, dtype=torch.float64)
    for history in histories:
        now, *older = history.nodes[:DEPTH]
        value, foretold = history.combine((1.0,)), history.combine((0.0, *lagrange(older, now)))
        sums += torch.stack([(value - foretold).square().sum(dtype=torch.float32), value.square().sum(dtype=torch.float32)]).double().cpu()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(sums)
    return float((sums[0] / sums[1]).sqrt())


def guarded(plans: Sequence[Plan], evaluations: Sequence[Evaluation], newest: Sequence[History]) -> bool:
    """Whether the next refresh of the model moves: the last evaluation ended a gap, and a guard finds its error too large. `newest`: histories of
    the streams that it computed."""
    guard = next((plan.guard for plan in plans if plan.guard), None)
    if guard is None or len(evaluations) < 2 or Kind.MODEL in evaluations[-1].predicted or Kind.MODEL not in evaluations[-2].predicted:
        return False
    error = refresh_error(newest)
    return error is not None and guard.exceeded(evaluations[-1].sigma, error)


def moved_earlier(table: Table, step: int) -> Table:
    """The table with the first step from `step` on that computes the model one step earlier, so that as many are computed. As it is, where
    there is no room for that, or where it is the last step."""
    computed = next((s for s in range(step, len(table.rows) - 1) if Kind.MODEL in table.rows[s]), step)
    if computed == step:
        return table
    rows = list(table.rows)
    rows[computed - 1], rows[computed] = rows[computed], rows[computed - 1]
    return Table(table.kinds, tuple(rows))

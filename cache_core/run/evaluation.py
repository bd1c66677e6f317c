"""The record of one evaluation of the denoiser: its decision and its calls."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from ..site import Kind, Sites


class Counts(dict[Kind, int]):
    """Numbers by kind, 0 for a kind that is not there: a Counter that costs nothing to make."""

    def __missing__(self, kind: Kind) -> int:
        return 0


@dataclass
class Tally:
    """Counts of calls. `computed_calls`, `predicted_calls`: of sites, by kind. `block_calls`: of the model, where its
    blocks ran."""

    computed_calls: Counts = field(default_factory=Counts, kw_only=True)
    predicted_calls: Counts = field(default_factory=Counts, kw_only=True)
    block_calls: int = field(default=0, kw_only=True)

    def add(self, other: Tally) -> None:
        """Add the counts of `other`."""
        for kind, count in other.computed_calls.items():
            self.computed_calls[kind] += count
        for kind, count in other.predicted_calls.items():
            self.predicted_calls[kind] += count
        self.block_calls += other.block_calls


@dataclass
class Evaluation(Tally):
    """One evaluation of the denoiser: one decision for all its conditionings, and the counts of its calls of the model
    that have ended.

    `open`: whether the decision waits for the input of the model's first block. `taken`: the streams that its calls
    have begun with (see Streams). `trial`: whether it only tries what a prediction would be. `sites`: those
    of the predicted kinds that may be predicted; None = all. `started`: seconds;
    `seconds`: its length, 0 until it ends.
    """

    step: int
    sigma: float
    predicted: frozenset[Kind]
    started: float
    seconds: float = 0.0
    trial: bool = False
    sites: Sites | None = None
    open: bool = False
    taken: set[tuple[Hashable, int]] = field(default_factory=set)

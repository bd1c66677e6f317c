"""What one evaluation of the denoiser decided and did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

from ..site import Kind


@dataclass
class Tally:
    """`computed_calls`, `predicted_calls`: calls of sites. `block_calls`: calls of the model in which its blocks ran."""

    computed_calls: Counter[Kind] = field(default_factory=Counter, kw_only=True)
    predicted_calls: Counter[Kind] = field(default_factory=Counter, kw_only=True)
    block_calls: int = field(default=0, kw_only=True)

    def add(self, other: Tally) -> None:
        """Count what `other` counted, too."""
        self.computed_calls.update(other.computed_calls)
        self.predicted_calls.update(other.predicted_calls)
        self.block_calls += other.block_calls


@dataclass
class Evaluation(Tally):
    """One evaluation of the denoiser: one decision for all its conditionings, and what its calls of the model did
    that have ended.

    `taken`: the streams that its calls have begun with (see Streams). `trial`: whether it only tries what a
    prediction would be.
    """

    step: int
    sigma: float
    predicted: frozenset[Kind]
    started: float
    seconds: float = 0.0
    trial: bool = False
    taken: set[tuple[Hashable, int]] = field(default_factory=set)

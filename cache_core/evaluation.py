"""What one evaluation of the denoiser decided and did."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field

from .site import Kind


@dataclass
class Evaluation:
    """One evaluation of the denoiser: one decision for all its conditionings.

    `computed_calls`, `predicted_calls`: calls of sites. `block_calls`: calls of the model in which its blocks ran.
    `trial`: whether it only tries what a prediction would be.
    """

    step: int
    sigma: float
    predicted: frozenset[Kind]
    started: float
    seconds: float = 0.0
    computed_calls: Counter[Kind] = field(default_factory=Counter)
    predicted_calls: Counter[Kind] = field(default_factory=Counter)
    block_calls: int = 0
    trial: bool = False
    occurrences: Counter[Hashable] = field(default_factory=Counter)

    def counts(self) -> tuple[Counter[Kind], Counter[Kind], int]:
        """The calls up to now."""
        return self.computed_calls.copy(), self.predicted_calls.copy(), self.block_calls

    def recount(self, counts: tuple[Counter[Kind], Counter[Kind], int]) -> None:
        """Go back to what `counts` returned: the calls since then are made again."""
        self.computed_calls, self.predicted_calls, self.block_calls = counts

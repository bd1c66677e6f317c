"""A bench with a budget: what sampling has taken so far, and what the uncached runs gave."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..clock import Timeline
from ..plan import Plan
from .bench import Bench, Watch
from .measure import Pass, drift
from .recording import probe

Progress = Callable[[float, str], None]


@dataclass
class Laboratory:
    """`budget`: uncached generations that all sampling may take; `spent`: those it took. `passes`: uncached runs with trials, by sample."""

    bench: Bench
    budget: float
    progress: Progress
    spent: float = 0.0
    passes: dict[int, Pass] = field(default_factory=dict)

    @property
    def timeline(self) -> Timeline:
        return self.bench.timeline

    def pay(self, price: float, text: str) -> None:
        """Note what a run took, and say what it was for."""
        self.spent += price
        self.progress(min(1.0, self.spent / self.budget), text)

    def affords(self, price: float, until: float = 1.0) -> bool:
        """Whether `price` can be spent without passing a share of the budget."""
        return self.spent + price <= until * self.budget + 1e-9

    def drift(self, number: int, plan: Plan, price: float, text: str, watch: Watch | None = None) -> float:
        """How far the plan's final latent of a calibration sample is from the uncached one: relative L2 distance."""
        final = probe(self.bench.sample(number, (plan,), watch))
        self.pay(price, text)
        return drift(final, self.passes[number].final)

"""A bench with an allowance: what sampling has taken so far, and what the uncached runs gave."""

from dataclasses import dataclass, field
from hashlib import sha256

import torch

from ..plan import Plan
from ..timeline import Timeline
from .allowance import Allowance
from .bench import Bench, Watch
from .measure import Pass
from .memo import Memo
from .recording import relative_l2, sampled_elements


@dataclass
class Laboratory:
    """`passes`: uncached runs with trials, by sample. What runs gave is kept in `memo`."""

    bench: Bench
    allowance: Allowance
    memo: Memo = field(default_factory=Memo)
    passes: dict[int, Pass] = field(default_factory=dict)

    @property
    def timeline(self) -> Timeline:
        return self.bench.timeline

    def pay(self, price: float, text: str) -> None:
        """Note what a run took, and say what it was for."""
        self.allowance.say(text)
        self.allowance.spend(price)

    def affords(self, price: float, until: float = 1.0) -> bool:
        """Whether `price` can be spent without passing a share of the allowance."""
        return self.allowance.spent + price <= until * self.allowance.total + 1e-9

    def drift(self, number: int, plan: Plan, price: float, text: str) -> float:
        """How far the plan's final latent of a calibration sample is from the uncached one: relative L2 distance."""
        table = plan.schedule.table(self.timeline)
        rows = [sorted(kind.value for kind in row) for row in table.rows]
        key = sha256(repr((number, rows, plan.predictor, plan.merge, plan.corrector)).encode()).hexdigest()[:16]
        found = self.memo.of(
            f"drift_{key}", lambda: {"drift": torch.tensor(self.watched(number, plan), dtype=torch.float64)}
        )
        self.pay(price, text)
        return float(found["drift"])

    def watched(self, number: int, plan: Plan, watch: Watch | None = None) -> float:
        """The same, seen by `watch`, neither kept nor paid."""
        return relative_l2(sampled_elements(self.bench.sample(number, (plan,), watch)), self.passes[number].final)

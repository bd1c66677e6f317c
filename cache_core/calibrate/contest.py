"""The choice among candidates by what counts: the drift of runs with them, on the same samples."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import mean

from ..saved_plan.costs import Costs
from .candidates import Candidate
from .laboratory import Laboratory
from .tracking import Normal, Tracker

FIRST_SHARE = 0.2  # of the budget, for the first look at all candidates
FIRST_UNTIL = 0.8  # of the budget, at most, is spent once they were looked at; those that come too late are left out
FINALISTS, FITTED = 3, 2


@dataclass(frozen=True)
class Compared:
    """One candidate in closed loop: mean drift over `samples` calibration samples, at a measured speed-up."""

    name: str
    speedup: float
    drift: float
    samples: int


@dataclass
class Contest:
    """`drifts`: by candidate and sample; nothing is run twice."""

    lab: Laboratory
    costs: Costs
    drifts: dict[str, dict[int, float]] = field(default_factory=dict)

    def price(self, candidate: Candidate) -> float:
        """Of one run, in uncached generations."""
        return 1 / self.costs.speedup(candidate.table)

    def mean(self, candidate: Candidate, numbers: Iterable[int]) -> float:
        return mean(self.drifts[candidate.name][number] for number in numbers)

    def look(self, candidates: Sequence[Candidate], number: int) -> None:
        """Run those that were not run on this sample, as long as it can be paid."""
        for candidate in candidates:
            seen = self.drifts.setdefault(candidate.name, {})
            if number not in seen and self.lab.affords(self.price(candidate)):
                plan = candidate.plan(self.lab.timeline)
                seen[number] = self.lab.drift(number, plan, self.price(candidate), f"comparing: {candidate.name}")

    def first(self, found: Sequence[Candidate]) -> list[Candidate]:
        """All of them on one sample, and on a second one if that is cheap; the best first."""
        one, *others = list(self.lab.passes)
        until = self.lab.allowance.spent + FIRST_SHARE * self.lab.allowance.total
        for candidate in found:
            if self.lab.affords(self.price(candidate), FIRST_UNTIL):
                self.look([candidate], one)
        seen = [candidate for candidate in found if self.drifts.get(candidate.name)]
        if others and self.lab.allowance.spent + sum(map(self.price, seen)) <= until:
            self.look(seen, others[len(others) // 2])
        return sorted(seen, key=lambda c: self.mean(c, self.drifts[c.name]))

    def fitted(self, ranked: Sequence[Candidate]) -> list[Candidate]:
        """The best two with corrections fitted in closed loop (Tracker), to one sample after the other; each for a
        third of what is left."""
        found = []
        for candidate in ranked[:FITTED]:
            left = self.lab.allowance.total - self.lab.allowance.spent
            count = min(len(self.lab.passes), int(left / 3 / self.price(candidate)))
            found += [self._fit(candidate, list(self.lab.passes)[:count])] if count else []
        return found

    def _fit(self, candidate: Candidate, numbers: Sequence[int]) -> Candidate:
        plan, normal, fits = candidate.plan(self.lab.timeline), Normal(), ()
        full = [step for step, row in enumerate(candidate.table.rows) if row == candidate.table.kinds]
        for number in numbers:
            tracker = Tracker(self.lab.passes[number].trials.recording, full, normal, between=False)
            self.lab.watched(number, plan, tracker)
            self.lab.pay(self.price(candidate), f"fitting: {candidate.name}")
            fits = tuple(tracker.fits.values())
        return replace(candidate, name=f"{candidate.name}, fitted", fits=fits)

    def final(self, finalists: Sequence[Candidate], spare: float) -> list[int]:
        """The samples on which all finalists were run: as many as can be paid, with `spare` left."""
        for number in self.lab.passes:
            missing = sum(self.price(c) for c in finalists if number not in self.drifts.get(c.name, {}))
            if self.lab.affords(missing + spare):
                self.look(finalists, number)
        return [number for number in self.lab.passes if all(number in self.drifts.get(c.name, {}) for c in finalists)]

    def decide(
        self,
        found: Sequence[Candidate],
        spare: float,
        tell: Callable[[Candidate, float], None] = lambda best, drift: None,
    ) -> tuple[Candidate, tuple[Compared, ...]]:
        """The candidate that drifts least, and all of them: first the finalists, by their drift on the same samples.
        `tell` hears which is best after the first look, and its drift."""
        ranked = self.first(found)
        tell(ranked[0], self.mean(ranked[0], self.drifts[ranked[0].name]))
        uniform = next(c for c in ranked if c.name.startswith("uniform"))
        unfitted = list(dict.fromkeys([*ranked[:FINALISTS], uniform]))
        finalists = [*unfitted, *self.fitted(ranked)]
        shared = self.final(finalists, spare)
        if not shared:  # too little was left to run the fitted ones
            finalists = unfitted
            shared = self.final(finalists, 0.0)
        order = sorted(finalists, key=lambda c: self.mean(c, shared))
        others = [c for c in ranked if c not in finalists]
        return order[0], (
            *(self._compared(c, shared) for c in order),
            *(self._compared(c, self.drifts[c.name]) for c in others),
        )

    def _compared(self, candidate: Candidate, numbers: Iterable[int]) -> Compared:
        numbers = list(numbers)
        return Compared(
            candidate.name, self.costs.speedup(candidate.table), self.mean(candidate, numbers), len(numbers)
        )

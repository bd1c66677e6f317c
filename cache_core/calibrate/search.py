"""The contest between schedules: a first look, a fit of the best, a judgement on samples that no fit has seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from math import inf

import torch
from torch import Tensor

from ..errors import ConfigError, check_range
from ..plan import Plan
from ..predictor import Fit
from ..saved_plan.costs import Costs
from ..saved_plan.file import packed, unpacked
from ..saved_plan.saved_plan import Origin, SavedPlan
from ..schedule import TableAt, from_steps
from ..site import Kind
from ..timeline import Timeline
from .bench import Watch, Watches
from .fit import fit
from .ledger import Ledger, Results
from .recording import Follower, Recorded, relative_l2, sampled_elements

MOST_SPEEDUP, LEAST_SPEEDUP = 8.0, 1.2
FITTED = 2  # candidates, at most
SEARCHED = 0.7  # of the budget, at most, is spent after a first look, or once the count of steps is found
Keep = Callable[[SavedPlan], None]  # is given each plan that is the best so far


@dataclass(frozen=True)
class Request:
    """The wanted plan. `speedup`: of an uncached sampling. `drift`: above 0, the fewest computed steps whose drift
    stays below it, instead. `samples`: recorded, at most. `budget`: in uncached samplings. Raises ConfigError."""

    speedup: float = 3.0
    drift: float = 0.0
    samples: int = 8
    budget: float = 12.0

    def __post_init__(self) -> None:
        check_range("target_speedup", self.speedup, LEAST_SPEEDUP, MOST_SPEEDUP)
        check_range("target_drift", self.drift, 0.0, 1.0)
        check_range("samples", self.samples, 1, 64)
        check_range("calibration_budget", self.budget, 2, 1000)


@dataclass(frozen=True)
class Candidate:
    """Computed steps, with order 2 in between, and, once fitted, weights."""

    name: str
    steps: tuple[int, ...]
    fits: tuple[Fit, ...] = ()


@dataclass(frozen=True)
class Compared:
    """Result of a candidate. `drift`: relative L2 distance of its final latents to the uncached ones, geometric mean
    over `samples` samples, so that one hard sample does not decide; `drifts` `(N,)`: of the states before each step."""

    name: str
    speedup: float
    drift: float
    samples: int
    drifts: tuple[float, ...]


@dataclass(frozen=True)
class Found:
    """The best plan; all that were compared, the best first; cost in uncached samplings."""

    plan: SavedPlan
    ranking: tuple[Compared, ...]
    spent: float


@dataclass
class Contest:
    """Candidates for one request, run on the `recorded` samples. `costs`: of attention and MLP; None for the output."""

    ledger: Ledger
    recorded: Sequence[Recorded]
    kinds: frozenset[Kind]
    origin: Origin
    keep: Keep
    costs: Costs | None = None
    _drifts: dict[tuple[Candidate, int], Tensor] = field(default_factory=dict)
    _kept: float = inf

    @property
    def timeline(self) -> Timeline:
        """The sigmas of the sampling."""
        return self.ledger.bench.timeline

    @property
    def learners(self) -> range:
        """Samples that weights are fitted to: the first quarter. More judges tell more than more learners do."""
        return range(max(1, len(self.recorded) // 4))

    @property
    def judges(self) -> range:
        """Samples that tell candidates apart: the others; with one sample, that one."""
        return range(len(self.learners) if len(self.recorded) > 1 else 0, len(self.recorded))

    def saved_plan(self, candidate: Candidate, drift: float | None = None) -> SavedPlan:
        """The plan of a candidate, as it is run once it is chosen."""
        origin = replace(self.origin, samples=len(self.recorded), made=str(date.today()))
        table = TableAt(from_steps(self.kinds, candidate.steps, self.timeline.steps), self.timeline.sigmas)
        return SavedPlan(origin, table, candidate.fits, drift=drift, costs=self.costs)

    def speedup(self, candidate: Candidate) -> float:
        """Compute of an uncached sampling divided by the candidate's."""
        return self.saved_plan(candidate).speedup

    def price(self, candidates: Sequence[Candidate], number: int | None = None) -> float:
        """Cost of a run of each candidate; with `number`, of those that were not run on this sample."""
        return sum(1 / self.speedup(c) for c in candidates if (c, number) not in self._drifts)

    def fitted(self, candidate: Candidate, numbers: Sequence[int]) -> Candidate:
        """The candidate with weights fitted to these samples; its drift on the last counts where it is the only one."""
        cost, last = len(numbers) * self.price([candidate]), numbers[-1]

        def work() -> Results:
            left, follower = iter(numbers), Follower(self.recorded[last].recording)

            def sample(plan: Plan, tracker: Watch) -> Tensor:
                return self.ledger.sample(
                    number := next(left), (plan,), Watches(follower if number == last else None, tracker)
                )

            fits, final = fit(
                sample, (self.recorded[number].recording for number in numbers), self.kinds, candidate.steps
            )
            return {"fits": packed(fits), "drifts": self._seen(last, final, follower)}

        key, count = (candidate.steps, tuple(numbers)), len(numbers)
        found = self.ledger.run(f"fitting: {candidate.name}", cost, work, *key, samplings=count)
        made = replace(candidate, name=f"{candidate.name}, fitted", fits=unpacked(found["fits"]))
        self._drifts[made, last] = found["drifts"]
        if len(self.recorded) == 1:
            self.tell(made, float(found["drifts"][0]))
        return made

    def look(self, candidates: Sequence[Candidate], number: int) -> None:
        """Run those candidates that were not run on this sample."""
        for candidate in candidates:
            if (candidate, number) not in self._drifts:
                work = self._work(candidate, number)
                key = candidate.steps, packed(candidate.fits).tolist(), number
                found = self.ledger.run(f"comparing: {candidate.name}", self.price([candidate]), work, *key)
                self._drifts[candidate, number] = found["drifts"]

    def _work(self, candidate: Candidate, number: int) -> Callable[[], Results]:
        def work() -> Results:
            follower = Follower(self.recorded[number].recording)
            plan = self.saved_plan(candidate).plan(self.timeline, candidate.name)
            return {"drifts": self._seen(number, self.ledger.sample(number, (plan,), follower), follower)}

        return work

    def _seen(self, number: int, final: Tensor, follower: Follower) -> Tensor:
        """Drifts `(1 + N,)` of the final latent and of the states before each step."""
        drift = relative_l2(sampled_elements(final), self.recorded[number].final)
        return torch.tensor([drift, *(follower.drifts[step] for step in range(self.timeline.steps))]).double()

    def compared(self, candidate: Candidate, numbers: Sequence[int]) -> Compared:
        """The result of a candidate on these samples."""
        logs = torch.stack([self._drifts[candidate, n] for n in numbers]).log().mean(0)
        drift, *drifts = logs.exp().nan_to_num(nan=inf, posinf=inf).tolist()
        return Compared(candidate.name, self.speedup(candidate), drift, len(numbers), tuple(drifts))

    def runs(self, candidate: Candidate) -> list[int]:
        """Samples on which the candidate was run."""
        return [number for seen, number in self._drifts if seen == candidate]

    def tell(self, candidate: Candidate, drift: float) -> None:
        """Keep the candidate's plan if it is the best so far."""
        if drift <= self._kept and drift < inf:
            self._kept = drift
            self.keep(self.saved_plan(candidate, drift))


def search(contest: Contest, baseline: Candidate, others: Sequence[Candidate]) -> Found:
    """The candidate that drifts least, fitted to all samples; no worse than `baseline` on those that no fit has seen.

    Raises ConfigError if every plan leads the sampler astray.
    """
    ledger, everyone = contest.ledger, range(len(contest.recorded))
    refit = len(everyone) * contest.price(others[:1]) if len(everyone) > 1 else 0.0
    finalists = [*_fitted(contest, baseline, others, refit), baseline]
    shared = []
    for number in contest.judges:
        if ledger.affords(contest.price(finalists, number) + refit):
            contest.look(finalists, number)
            shared.append(number)
    seen = {c: contest.runs(c) for c in others} | {c: shared or contest.runs(c) for c in finalists}
    rows = {candidate: contest.compared(candidate, numbers) for candidate, numbers in seen.items() if numbers}
    ranking = sorted((c for c in finalists if c in rows), key=lambda c: rows[c].drift)
    best, drift = ranking[0], rows[ranking[0]].drift
    if drift == inf:
        raise ConfigError(
            f"Every plan leads this sampler astray, even with {len(best.steps)} of {contest.timeline.steps} steps "
            "computed. Set sampler to euler or another one, or leave the cache off."
        )
    contest.tell(best, drift)
    if best.fits and refit and ledger.affords(refit):
        best = contest.fitted(next(c for c in others if c.steps == best.steps), everyone)
    plan = contest.saved_plan(best, drift)
    contest.keep(plan)
    return Found(plan, tuple(rows[c] for c in (*ranking, *(c for c in others if c in rows))), ledger.spent)


def _fitted(contest: Contest, baseline: Candidate, others: Sequence[Candidate], refit: float) -> list[Candidate]:
    """The best of the others, fitted to the learners: two, where the budget lets all judges see both, else one. With
    one sample nothing tells fitted candidates apart but that sample, which each has learned by heart."""
    ranked = _ranked(contest, baseline, others)
    found = [contest.fitted(ranked[0], contest.learners)]
    whole = len(contest.learners) + len(contest.judges)
    committed = len(contest.judges) * contest.price([baseline, found[0]]) + refit
    if len(contest.recorded) > 1 and contest.ledger.affords(committed + whole * contest.price(ranked[1:2])):
        found += [contest.fitted(candidate, contest.learners) for candidate in ranked[1:2]]
    return found


def _ranked(contest: Contest, baseline: Candidate, others: Sequence[Candidate]) -> Sequence[Candidate]:
    """The others, the best after a look at each on one sample first; as they come where they are few or it is dear."""
    number = contest.judges[0]
    if len(others) <= FITTED or not contest.ledger.affords(contest.price([baseline, *others], number), SEARCHED):
        return others
    contest.look([baseline, *others], number)
    drifts = {candidate: contest.compared(candidate, [number]).drift for candidate in others}
    ranked = sorted(others, key=drifts.__getitem__)
    contest.tell(ranked[0], drifts[ranked[0]])
    return ranked


def fewest(contest: Contest, planned: Callable[[int], Candidate], drift: float, low: int, high: int) -> int:
    """The fewest computed steps, `low` to `high`, whose planned and fitted schedule drifts by at most `drift` on one
    sample, by bisection; `high` if none does."""
    judge = contest.judges[0]
    while low < high:
        candidate = planned(middle := (low + high) // 2)
        runs = 1 if judge in contest.learners else 2
        if not contest.ledger.affords(runs * contest.price([candidate]), SEARCHED):
            break
        fitted = contest.fitted(candidate, contest.learners[:1])
        contest.look([fitted], judge)
        low, high = (low, middle) if contest.compared(fitted, [judge]).drift <= drift else (middle + 1, high)
    return high

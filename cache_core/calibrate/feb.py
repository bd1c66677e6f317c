"""A plan for attention and MLP, made by measuring: trials on uncached runs, tables planned for them, and a choice in closed loop."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import mean
from time import perf_counter

from ..cache_plan import CachePlan, Origin
from ..clock import Timeline
from ..corrector import NoiseScale
from ..costs import Costs
from ..curves import Curves
from ..errors import check_range
from ..plan import MIN_STEPS, Plan
from .bench import Bench, Watch
from .candidates import Candidate, candidates, fitted
from .exposure import Alpha, fit_scale, flow_alpha, noise_sizes
from .measure import Pass, curves_of, drift, measure_pass, measure_reach, measured_costs
from .recording import Recorder, probe
from .tracking import Normal, Tracker
from .trials import PERIOD

SAMPLES, BUDGET = 8, 64.0
LEAST_BUDGET = 12.0
GUESS = 2.8  # uncached generations that a pass with trials takes, until it was timed
SHARES = {"passes": 0.38, "reach": 0.13, "compare": 0.2}  # of the budget, what is left goes to fits and to the choice
FINALISTS = 3
FIRST_ROUND = 0.8  # of the budget, at most, when all candidates were looked at once; those that come too late are left out
SCALED = 6  # samples for the noise scale: it is fitted to half of them and tried on the others
Progress = Callable[[float, str], None]


def silent(done: float, text: str) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Compared:
    """One candidate in closed loop: mean drift over `samples` calibration samples, at a measured speed-up."""

    name: str
    speedup: float
    drift: float
    samples: int


@dataclass(frozen=True)
class FebReport:
    """What a calibration found. `compared`: every candidate, the best first of those that were looked at longest. `gain`: what a displacement at
    each step grows to. `scale`: the noise scale that was fitted, `scaled` and `unscaled` the drifts with and without it on samples it was not
    fitted to; None where there were too few. `spent`: uncached generations that all of it took."""

    costs: Costs
    curves: Curves
    gain: tuple[float, ...]
    compared: tuple[Compared, ...]
    scale: NoiseScale | None
    scaled: float | None
    unscaled: float | None
    spent: float


@dataclass
class Laboratory:
    """The bench, what sampling on it has taken so far in uncached generations, and how much it may take."""

    bench: Bench
    budget: float
    progress: Progress
    spent: float = 0.0
    final: dict[int, Pass] = field(default_factory=dict)

    @property
    def timeline(self) -> Timeline:
        return self.bench.timeline

    def pay(self, price: float, text: str) -> None:
        self.spent += price
        self.progress(min(1.0, self.spent / self.budget), text)

    def affords(self, price: float, until: float = 1.0) -> bool:
        """Whether `price` can be spent without passing a share of the budget."""
        return self.spent + price <= until * self.budget + 1e-9

    def drift(self, number: int, plan: Plan, price: float, text: str, watch: Watch | None = None) -> float:
        """How far the plan's final latent of a calibration sample is from the uncached one."""
        final = probe(self.bench.sample(number, (plan,), watch))
        self.pay(price, text)
        return drift(final, self.final[number].final)


@dataclass(frozen=True)
class Measured:
    """What plans for any speed-up are made from."""

    passes: tuple[Pass, ...]
    gain: tuple[float, ...]
    costs: Costs
    curves: Curves


def feb_plan(bench: Bench, origin: Origin, speedup: float, samples: int = SAMPLES, budget: float = BUDGET, progress: Progress = silent,
             costs: Costs | None = None, alpha: Alpha = flow_alpha, clock: Callable[[], float] = perf_counter) -> tuple[CachePlan, FebReport]:
    """The plan that drifts least among those that take at most 1 / `speedup` of an uncached run's compute, and what was found on the way.

    `samples`: calibration samples, at most. `budget`: what all sampling for it may take, in uncached generations. `costs`: of the states, in
    place of measuring them; with these given nothing depends on a clock, and the same bench gives the same plan. `alpha`: share of the
    clean latent by sigma, for the noise scale. Raises ConfigError for settings out of range and for a speed-up that reuse cannot give,
    CacheError if the sampler cannot be recorded; what `bench.sample` raises, a cancel for one, goes through.
    """
    check_range("speedup", speedup, 1.0, 10.0)
    lab = Laboratory(bench, budget, progress)
    return choose(lab, measure(lab, samples, costs, clock), origin, speedup, alpha)


def measure(lab: Laboratory, samples: int = SAMPLES, costs: Costs | None = None, clock: Callable[[], float] = perf_counter) -> Measured:
    """Trials, how far errors reach, and costs: the part of the work that plans for several speed-ups share."""
    check_range("samples", samples, 1, 64)
    check_range("budget", lab.budget, LEAST_BUDGET, 10000)
    check_range("steps", lab.timeline.steps, MIN_STEPS, 1000)
    passes = _passes(lab, samples, clock)
    reach = measure_reach(lab.bench, passes, _probes(lab), clock)
    lab.pay(_probes(lab), "how far errors reach")
    return Measured(tuple(passes), reach.gain, costs or measured_costs(passes, reach), curves_of(passes, lab.timeline.times))


def choose(lab: Laboratory, measured: Measured, origin: Origin, speedup: float, alpha: Alpha = flow_alpha) -> tuple[CachePlan, FebReport]:
    """The plan for `speedup`, and the report (see feb_plan)."""
    costs, curves = measured.costs, measured.curves
    found = candidates(measured.passes, lab.timeline, costs, measured.gain, speedup)
    best, compared = _choose(lab, found, costs)
    scale, unscaled, scaled = _scale(lab, best, alpha, 1 / costs.speedup(best.table))
    helps = {"corrector": scale} if scale is not None and scaled < unscaled else {}
    plan = replace(best.cache_plan(replace(origin, samples=len(measured.passes)), lab.timeline.sigmas, costs), drift=compared[0].drift,
                   curves=curves, **helps)
    return plan, FebReport(costs, curves, measured.gain, compared, scale, scaled, unscaled, lab.spent)


def _passes(lab: Laboratory, samples: int, clock: Callable[[], float]) -> list[Pass]:
    """As many passes as their share of the budget allows, one for each sample, their refreshes spread over the period."""
    count = max(1, min(samples, int(SHARES["passes"] * lab.budget / GUESS)))
    for number in range(count):
        found = measure_pass(lab.bench, number, round(number * PERIOD / count), clock)
        lab.final[number] = found
        lab.pay(GUESS, f"measuring sample {number + 1} of {count}")
    return list(lab.final.values())


def _probes(lab: Laboratory) -> int:
    """Runs that measure reach."""
    return max(2, min(8, int(SHARES["reach"] * lab.budget)))


def _choose(lab: Laboratory, found: list[Candidate], costs: Costs) -> tuple[Candidate, tuple[Compared, ...]]:
    """The candidate that drifts least: all on few samples, then the best, and the best with fitted weights, on as many as can be paid."""
    results: dict[str, list[float]] = {c.name: [] for c in found}
    prices = {c.name: 1 / costs.speedup(c.table) for c in found}
    numbers = list(lab.final)

    def look(candidate: Candidate, number: int) -> None:
        plan = candidate.plan(lab.timeline)
        results[candidate.name].append(lab.drift(number, plan, prices[candidate.name], f"comparing: {candidate.name}"))

    allowed = lab.spent + SHARES["compare"] * lab.budget
    for number in numbers[:: max(1, len(numbers) // 2)]:
        if results[found[0].name] and lab.spent + sum(prices.values()) > allowed:
            break
        for candidate in found:
            if lab.affords(prices[candidate.name], FIRST_ROUND):
                look(candidate, number)
    ranked = sorted((c for c in found if results[c.name]), key=lambda c: mean(results[c.name]))
    finalists = ranked[:FINALISTS]
    finalists += _fits(lab, [c for c in ranked if not c.alone], prices)
    results |= {c.name: results.get(c.name, []) for c in finalists}
    return _final(lab, finalists, ranked, results, costs, look)


def _final(lab: Laboratory, finalists: list[Candidate], ranked: list[Candidate], results: dict[str, list[float]], costs: Costs,
           look: Callable[[Candidate, int], None]) -> tuple[Candidate, tuple[Compared, ...]]:
    """The finalists on the same samples, one sample after the other while the budget lasts, and the uniform tables beside them."""
    uniform = min((c for c in ranked if c.name.startswith("uniform")), key=lambda c: mean(results[c.name]))
    finalists = list({c.name: c for c in [*finalists, uniform]}.values())
    held = {c.name: [] for c in finalists}
    earlier = {name: list(drifts) for name, drifts in results.items()}
    for number in lab.final:
        price = sum(1 / costs.speedup(c.table) for c in finalists)
        spare = _price_of_scale(lab, 1 / costs.speedup(finalists[0].table)) if number else 0.0
        if not lab.affords(price + spare):
            break
        for candidate in finalists:
            look(candidate, number)
            held[candidate.name].append(results[candidate.name][-1])
    if not any(held.values()):  # the budget is too small for a second look
        finalists, held = ranked, earlier
    order = sorted(finalists, key=lambda c: mean(held[c.name]))
    others = [c for c in ranked if c.name not in held]
    compared = [Compared(c.name, costs.speedup(c.table), mean(held[c.name]), len(held[c.name])) for c in order]
    compared += [Compared(c.name, costs.speedup(c.table), mean(earlier[c.name]), len(earlier[c.name])) for c in others]
    return order[0], tuple(compared)


def _fits(lab: Laboratory, ranked: list[Candidate], prices: dict[str, float]) -> list[Candidate]:
    """The best tables with weights fitted in closed loop (Tracker), to one sample after the other; as many as half of what is left pays."""
    found: list[Candidate] = []
    tables = {c.table: c for c in reversed(ranked)}  # of two with one table, the better one's name
    for candidate in sorted(tables.values(), key=ranked.index)[:2]:
        price = prices[candidate.name]
        count = min(len(lab.final), int((lab.budget - lab.spent) / 3 / price))
        if count < 1:
            break
        normal = Normal()
        for number in list(lab.final)[:count]:
            tracker = Tracker(lab.final[number].trials.recording, gain=0.0, normal=normal)
            schedule = candidate.plan(lab.timeline).schedule
            lab.bench.sample(number, (Plan(schedule, tracker, name=f"FEB-Cache, fitting {candidate.name}", merge=True),), tracker)
            lab.pay(price, f"fitting: {candidate.name}")
        found.append(fitted(candidate, tuple(tracker.fits.values())))
        prices[found[-1].name] = price
    return found


def _halves(lab: Laboratory) -> tuple[list[int], list[int]]:
    """The samples that the noise scale is fitted to, and those it is tried on."""
    numbers = list(lab.final)[:SCALED]
    return numbers[::2], numbers[1::2]


def _price_of_scale(lab: Laboratory, price: float) -> float:
    """Of fitting and trying it, where a run with the plan costs `price`."""
    fit, held = _halves(lab)
    return price * (len(fit) + 2 * len(held))


def _scale(lab: Laboratory, best: Candidate, alpha: Alpha, price: float) -> tuple[NoiseScale | None, float | None, float | None]:
    """The noise scale fitted to every second sample, and the drift without and with it on the others; None where there is no budget or sample."""
    fit, held = _halves(lab)
    if not held or not lab.affords(_price_of_scale(lab, price)) or set(lab.bench.scale) != {1.0}:
        return None, None, None
    plan, sizes = best.plan(lab.timeline), []
    for number in fit:
        recorder = Recorder(lab.timeline, lab.bench.scale)
        lab.drift(number, plan, price, "noise scale", recorder)
        sizes.append(noise_sizes(recorder.recording(), alpha))
    scale = fit_scale(sizes, [noise_sizes(lab.final[n].trials.recording, alpha) for n in fit], lab.timeline.times)
    drifts = [mean(lab.drift(n, p, price, "noise scale") for n in held) for p in (plan, replace(plan, corrector=scale))]
    return scale, *drifts

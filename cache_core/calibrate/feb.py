"""A plan for attention and MLP, made by measuring: trials on uncached runs, tables planned for them, and a choice in
closed loop."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from statistics import mean
from time import perf_counter

from ..errors import check_range
from ..noise_scale import NoiseScale
from ..plan import MIN_STEPS, MOST_STEPS
from ..saved_plan.costs import Costs
from ..saved_plan.curves import Curves
from ..saved_plan.saved_plan import Origin, SavedPlan
from .ab import LEAST_SPEEDUP, MOST_SPEEDUP
from .allowance import Allowance
from .bench import Bench
from .candidates import FEWEST, Candidate, candidates, planned_steps
from .contest import Compared, Contest
from .exposure import Alpha, fit_scale, flow_alpha, noise_sizes
from .laboratory import Laboratory
from .measure import (
    Pass,
    Reach,
    curves_of,
    measure_pass,
    measure_reach,
    measured_costs,
    packed_pass,
    packed_reach,
    unpacked_pass,
)
from .memo import Memo
from .recording import Recorder
from .trials import PERIOD

SAMPLES, BUDGET = 8, 64.0
LEAST_BUDGET = 12.0
GUESS = 2.8  # uncached generations that a pass with trials takes
PASSES, PROBES = (
    0.38,
    0.13,
)  # shares of the budget for the passes and for how far errors reach; what is left goes to fits and to the choice
SEARCHED = 0.7  # of the budget, at most, is spent once the speed-up for a drift is found
SCALED = 6  # samples for the noise scale: it is fitted to half of them and tried on the others

Keep = Callable[[SavedPlan], None]


@dataclass(frozen=True)
class FebReport:
    """What a calibration found. `compared`: every candidate, the best first of those that were looked at longest.
    `gain`: what a displacement at each step grows to. `scale`: the noise scale that was fitted, `scaled` and
    `unscaled` the drifts with and without it on samples it was not fitted to; None where there were too few.
    `spent`: uncached generations that all of it took."""

    costs: Costs
    curves: Curves
    gain: tuple[float, ...]
    compared: tuple[Compared, ...]
    scale: NoiseScale | None
    scaled: float | None
    unscaled: float | None
    spent: float


@dataclass(frozen=True)
class Measured:
    """What plans for any speed-up are made from."""

    passes: tuple[Pass, ...]
    gain: tuple[float, ...]
    costs: Costs
    curves: Curves


def feb_plan(
    bench: Bench,
    origin: Origin,
    speedup: float,
    samples: int = SAMPLES,
    allowance: Allowance | None = None,
    memo: Memo | None = None,
    costs: Costs | None = None,
    alpha: Alpha = flow_alpha,
    clock: Callable[[], float] = perf_counter,
    keep: Keep = lambda plan: None,
) -> tuple[SavedPlan, FebReport]:
    """The plan that drifts least among those that take at most 1 / `speedup` of an uncached run's compute, and what
    was found on the way.

    `samples`: calibration samples, at most. `allowance`: what all sampling for it may take. `costs`: of the states,
    in place of measuring them; with these given nothing depends on a clock, and the same bench gives the same plan.
    `alpha`: share of the clean latent by sigma, for the noise scale. `keep` is given the plan that is best after a
    first look at all of them.

    Raises ConfigError for settings out of range and for a speed-up that reuse cannot give, CacheError if the sampler
    cannot be recorded; what `bench.sample` raises, a cancel for one, goes through.
    """
    check_range("speedup", speedup, 1.0, 10.0)
    lab = Laboratory(bench, allowance or Allowance(BUDGET), memo or Memo())
    return choose(lab, measure(lab, samples, costs, clock), origin, speedup, alpha, keep)


def measure(
    lab: Laboratory, samples: int = SAMPLES, costs: Costs | None = None, clock: Callable[[], float] = perf_counter
) -> Measured:
    """Trials, how far errors reach, and costs: the part of the work that plans for several speed-ups share."""
    check_range("samples", samples, 1, 64)
    check_range("budget", lab.allowance.total, LEAST_BUDGET, 10000)
    check_range("steps", lab.timeline.steps, MIN_STEPS, MOST_STEPS)
    passes = _passes(lab, samples, clock)
    kept = lab.memo.of("reach", lambda: packed_reach(measure_reach(lab.bench, passes, _probes(lab), clock)))
    reach = Reach(tuple(kept["gain"].tolist()), float(kept["merged"]))
    lab.pay(_probes(lab), "how far errors reach")
    return Measured(
        tuple(passes), reach.gain, costs or measured_costs(passes, reach), curves_of(passes, lab.timeline.times)
    )


def fastest(lab: Laboratory, measured: Measured, drift: float) -> float:
    """The highest speed-up at which the table that is planned for order 2 drifts by no more than `drift` on the
    first sample, found by bisection over its computed steps; the lowest that can be asked for where none does."""
    steps, costs = lab.timeline.steps, measured.costs
    low, high = max(FEWEST, round(steps / MOST_SPEEDUP)), max(FEWEST, round(steps / LEAST_SPEEDUP))
    number = next(iter(lab.passes))
    while low < high:
        found = planned_steps(measured.passes, middle := (low + high) // 2)
        price = 1 / costs.speedup(found.table)
        if not lab.affords(price, SEARCHED):
            break
        near = (
            lab.drift(
                number, found.plan(lab.timeline), price, f"looking for a drift of {drift:g}: {middle} of {steps} steps"
            )
            <= drift
        )
        low, high = (low, middle) if near else (middle + 1, high)
    return costs.speedup(planned_steps(measured.passes, high).table)


def choose(
    lab: Laboratory,
    measured: Measured,
    origin: Origin,
    speedup: float,
    alpha: Alpha = flow_alpha,
    keep: Keep = lambda plan: None,
) -> tuple[SavedPlan, FebReport]:
    """The plan for `speedup`, and the report (see feb_plan)."""
    costs, curves = measured.costs, measured.curves
    found = candidates(measured.passes, lab.timeline, costs, measured.gain, speedup)
    made = replace(origin, samples=len(measured.passes), made=str(date.today()))

    def plan_of(candidate: Candidate, drift: float) -> SavedPlan:
        return replace(candidate.cache_plan(made, lab.timeline.sigmas, costs), drift=drift, curves=curves)

    best, compared = Contest(lab, costs).decide(
        found, _price_of_scale(lab, 1 / speedup), lambda first, drift: keep(plan_of(first, drift))
    )
    scale, unscaled, scaled = _scale(lab, best, alpha, 1 / costs.speedup(best.table))
    helps = {"corrector": scale} if scale is not None and scaled < unscaled else {}
    plan = replace(plan_of(best, compared[0].drift), **helps)
    return plan, FebReport(costs, curves, measured.gain, compared, scale, scaled, unscaled, lab.allowance.spent)


def _passes(lab: Laboratory, samples: int, clock: Callable[[], float]) -> list[Pass]:
    """As many passes as their share of the budget allows, one for each sample, their refreshes spread over the period."""
    count = max(1, min(samples, int(PASSES * lab.allowance.total / GUESS)))
    for number in range(count):
        phase = round(number * PERIOD / count)
        kept = lab.memo.of(f"pass_{number}_{phase}", lambda: packed_pass(measure_pass(lab.bench, number, phase, clock)))  # noqa: B023 (called at once)
        lab.passes[number] = unpacked_pass(kept, lab.bench, phase)
        lab.pay(GUESS, f"measuring sample {number + 1} of {count}")
    return list(lab.passes.values())


def _probes(lab: Laboratory) -> int:
    """Runs that measure reach."""
    return max(2, min(8, int(PROBES * lab.allowance.total)))


def _halves(lab: Laboratory) -> tuple[list[int], list[int]]:
    """The samples that the noise scale is fitted to, and those it is tried on."""
    numbers = list(lab.passes)[:SCALED]
    return numbers[::2], numbers[1::2]


def _price_of_scale(lab: Laboratory, price: float) -> float:
    """Of fitting and trying it, where a run with the plan costs `price`."""
    fit, held = _halves(lab)
    return price * (len(fit) + 2 * len(held))


def _scale(
    lab: Laboratory, best: Candidate, alpha: Alpha, price: float
) -> tuple[NoiseScale | None, float | None, float | None]:
    """The noise scale fitted to every second sample, and the drift without and with it on the others; None where
    there is no budget or sample."""
    fit, held = _halves(lab)
    if not held or not lab.affords(_price_of_scale(lab, price)) or set(lab.bench.scale) != {1.0}:
        return None, None, None
    plan, sizes = best.plan(lab.timeline), []
    for number in fit:
        recorder = Recorder(lab.timeline, lab.bench.scale)
        lab.watched(number, plan, recorder)
        lab.pay(price, "noise scale")
        sizes.append(noise_sizes(recorder.recording(), alpha))
    scale = fit_scale(sizes, [noise_sizes(lab.passes[n].trials.recording, alpha) for n in fit], lab.timeline.times)
    drifts = [mean(lab.drift(n, p, price, "noise scale") for n in held) for p in (plan, replace(plan, corrector=scale))]
    return scale, *drifts

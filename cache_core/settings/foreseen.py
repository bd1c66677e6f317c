"""The plan of a preset before anything is learned: steps and weights of the prior."""

from math import inf

from ..plan import MIN_STEPS, Plan
from ..planning import least_steps, prior_fits, prior_steps
from ..predictor import GAIN_LIMIT, Extrapolation, Fitted
from ..schedule import TableAt, from_steps
from ..site import OUTPUT, Kind
from ..timeline import Timeline

# Steps for each computed one, and computed steps at least: on the lab's models nothing further is above fewer steps,
# and above every fixed cadence, at each setting (`python3 -m lab.settings`).
SPEEDUP, FEWEST = 1.5, 6
MOST_FORESEEN = 250  # steps: more would take longer to plan than it is worth


def foreseeable(timeline: Timeline) -> bool:
    """True if the prior has a plan for the sampling."""
    return timeline.slopes and not timeline.rises and MIN_STEPS <= timeline.steps <= MOST_FORESEEN


def foreseen(timeline: Timeline, kinds: frozenset[Kind], name: str, speedup: float = SPEEDUP) -> Plan:
    """The prior's plan for `kinds`, with `speedup` steps for each computed one."""
    steps = prior_steps(timeline, max(FEWEST, computed_steps(timeline.steps, speedup)))
    fallback = Extrapolation(2, gain_limit=inf if kinds == OUTPUT else GAIN_LIMIT)
    predictor = Fitted(prior_fits(timeline, steps), fallback)
    # beside another plan fewer steps are left, over which the table is moved
    schedule = TableAt(from_steps(kinds, steps, timeline.steps), timeline.sigmas)
    return Plan(schedule, predictor, name=name, merge=kinds != OUTPUT)


def computed_steps(steps: int, speedup: float) -> int:
    """Computed steps of a plan whose weights are fitted, for `steps` steps."""
    return max(least_steps(steps, fits=True), round(steps / speedup))

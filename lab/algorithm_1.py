"""FEB-Cache's Algorithm 1 and its two-stage rule, as comparators: a table from the errors of reuse, step by step, and a
vote over samples (arXiv 2503.07120)."""

from collections import Counter
from collections.abc import Callable, Sequence

from cache_core import Frame, Kind, Table, Timeline, TwoStage
from cache_core.calibrate.trials import BOUNDARY, Trials
from cache_core.saved_plan.costs import Costs
from cache_core.settings.presets import auto_warmup
from cache_core.site import MODULES

State = frozenset[Kind]
# Error of a step that predicts a state, attention and MLP last computed at two steps.
Error = Callable[[int, State, int, int], float]
HALVINGS = 40


def candidate(time: float, boundary: float = BOUNDARY) -> State:
    """The kind that the stage of model time `time` may reuse alone: the MLP at high noise, attention at low noise."""
    return frozenset({Kind.MLP if time > boundary else Kind.ATTENTION})


def greedy(error: Error, times: Sequence[float], scale: float, boundary: float = BOUNDARY) -> tuple[State, ...]:
    """The kinds that one sample would predict at each step: both if that is within delta(t), else the stage's
    candidate if that is, else nothing.

    delta(t) = scale * t. Whatever a step computes is what later ones reuse. The first step computes both.
    """
    states: list[State] = [frozenset()]
    last = dict.fromkeys(MODULES, 0)
    for step, time in enumerate(times[1:], 1):
        choices = (MODULES, candidate(time, boundary))
        state = next(
            (s for s in choices if error(step, s, last[Kind.ATTENTION], last[Kind.MLP]) <= scale * time), frozenset()
        )
        last.update(dict.fromkeys(MODULES - state, step))
        states.append(state)
    return tuple(states)


def vote(tables: Sequence[Sequence[State]]) -> Table:
    """The table that predicts, at each step, what most samples would; of equal votes, the one that computes more."""

    def most(states: Sequence[State]) -> State:
        votes = Counter(states)
        return max(votes, key=lambda state: (votes[state], -len(state), Kind.MLP in state))

    return Table(MODULES, tuple(MODULES - most(states) for states in zip(*tables, strict=True)))


def error_of(trials: Trials, banded: bool = False) -> Error:
    """The relative error of reuse in one sample; with `banded` that of the worse of the two bands."""

    def error(step: int, state: State, attention: int, mlp: int) -> float:
        weights = shares(
            trials,
            step,
            *(last if kind in state else step for kind, last in ((Kind.ATTENTION, attention), (Kind.MLP, mlp))),
        )
        return max(trials.relative(step, weights, band) for band in ((0, 1) if banded else (None,)))

    return error


def algorithm_1(
    errors: Sequence[Error], times: Sequence[float], fits: Callable[[Table], bool], boundary: float = BOUNDARY
) -> Table:
    """The voted table with the least scale of delta(t) with which it `fits` a budget of compute."""

    def table(scale: float) -> Table:
        return vote([greedy(error, times, scale, boundary) for error in errors])

    low, high = 0.0, 1.0
    while not fits(table(high)) and high < 1e6:
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(table(middle)) else (middle, high)
    return table(high)


def shares(trials: Trials, step: int, attention: int, mlp: int) -> tuple[float, float, float]:
    """Coefficients of the three tried errors at `step` in the error of an evaluation whose attention and MLP were last
    computed at these steps.

    Linear model: e_att and e_mlp scale with their distance in sigma, the interaction e_both - e_att - e_mlp with the
    smaller of the two. At the tried distance it returns the measurement.
    """
    nodes = trials.recording.nodes
    tried = nodes[trials.anchors[step]] - nodes[step]
    a, m = ((nodes[last] - nodes[step]) / tried for last in (attention, mlp))
    together = min(a, m)
    return a - together, m - together, together


def stage_rule(timeline: Timeline, costs: Costs, speedup: float) -> Table | None:
    """FEB-Cache's two-stage rule with the least intervals that reach `speedup`; None if none does."""
    warmup = auto_warmup(timeline.steps)
    for fragile in range(1, 7):
        for other in range(fragile, 11):
            table = TwoStage(other, other, fragile, frame=Frame(warmup)).table(timeline)
            if costs.speedup(table) >= speedup:
                return table
    return None

"""FEB-Cache's Algorithm 1: a table from the errors of reuse, step by step, and a vote over samples (arXiv
2503.07120)."""

from collections import Counter
from collections.abc import Callable, Sequence

from ..schedule import Table
from ..site import MODULES, Kind
from .trials import Trials

State = frozenset[Kind]
Error = Callable[
    [int, State, int, int], float
]  # of a step that predicts a state, attention and MLP last computed at two steps
BOUNDARY = 0.4  # model time at which the stages meet
HALVINGS = 40


def candidate(time: float, boundary: float = BOUNDARY) -> State:
    """What the stage of model time `time` may reuse alone: the MLP at high noise, attention at low noise."""
    return frozenset({Kind.MLP if time > boundary else Kind.ATTENTION})


def greedy(error: Error, times: Sequence[float], scale: float, boundary: float = BOUNDARY) -> tuple[State, ...]:
    """What one sample would predict at each step: both if that is within delta(t), else the stage's candidate if
    that is, else nothing.

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
        shares = trials.shares(
            step, *(last if kind in state else step for kind, last in ((Kind.ATTENTION, attention), (Kind.MLP, mlp)))
        )
        return max(trials.relative(step, shares, band) for band in ((0, 1) if banded else (None,)))

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

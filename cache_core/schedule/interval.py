"""Schedules by step number: every n-th step, or a list; and the frame of steps that are computed in any case."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError, brief, check_range
from ..site import Kind
from ..timeline import Timeline
from .table import Table, from_steps


@dataclass(frozen=True)
class Frame:
    """Steps that are computed in any case; more of them are slower and closer to the uncached picture.

    `warmup`: steps at the start. `final`: steps at the end. `start`, `end`: percentages in [0, 1] of the sampling,
    as ComfyUI counts them, outside which every step is computed.
    """

    warmup: int = 3
    final: int = 1
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        check_range("warmup_steps", self.warmup, 0, 100)
        check_range("final_steps", self.final, 0, 100)
        check_range("start_percent", self.start, 0.0, 1.0)
        check_range("end_percent", self.end, 0.0, 1.0)
        if self.end <= self.start:
            raise ConfigError(f"end_percent is {self.end} and start_percent {self.start}; the end must be greater.")

    def forces(self, step: int, timeline: Timeline) -> bool:
        """True if `step` is computed because of its place."""
        edge = step < max(self.warmup, 1) or step >= timeline.steps - self.final
        return edge or not timeline.inside(step, self.start, self.end)

    def free(self, timeline: Timeline) -> tuple[int, ...]:
        """Steps that are not forced."""
        return tuple(step for step in range(timeline.steps) if not self.forces(step, timeline))


@dataclass(frozen=True)
class Interval:
    """Multiples of `interval` are computed, and the steps that `frame` forces; a longer interval computes less.

    A shorter interval takes its place where that computes less (`sparsest`). AB-Cache's released FLUX code is
    `interval=6` in `Frame(warmup=5, final=0)`: `i < 5 or i % 6 == 0`, 13 of 50 steps.
    """

    kinds: frozenset[Kind]
    interval: int
    frame: Frame = Frame()

    def __post_init__(self) -> None:
        check_range("interval", self.interval, 1, 100)

    def table(self, timeline: Timeline) -> Table:
        """The table for a timeline: computed at the edges of the frame and at every n-th step within."""
        free = self.frame.free(timeline)
        own = sparsest(free, self.interval)
        return from_steps(self.kinds, set(range(timeline.steps)) - {s for s in free if s % own}, timeline.steps)


def sparsest(free: Sequence[int], interval: int) -> int:
    """Interval up to `interval` with the fewest multiples among the steps `free`; of several the longest.

    Behind a warm-up a longer interval may have more multiples: in 9 to 18, 7 has one (14), and 9 has two (9, 18). So
    a larger interval would be slower.
    """
    return min(range(interval, 0, -1), key=lambda n: sum(step % n == 0 for step in free))


@dataclass(frozen=True)
class Steps:
    """The listed steps are computed, and no others."""

    kinds: frozenset[Kind]
    computed: tuple[int, ...]

    def __post_init__(self) -> None:
        if 0 not in self.computed:
            given = brief(str(list(self.computed)))
            raise ConfigError(f"computed_steps is {given}; step 0 must be computed, nothing comes before it. Add 0.")

    def table(self, timeline: Timeline) -> Table:
        """Table of the listed steps. Raises ConfigError for a step that the sampling does not have."""
        beyond = [s for s in self.computed if not 0 <= s < timeline.steps]
        if beyond:
            named = brief(str(beyond))
            raise ConfigError(f"computed_steps names {named}; this sampling has steps 0 to {timeline.steps - 1}.")
        return from_steps(self.kinds, self.computed, timeline.steps)


def evenly(steps: int, budget: int) -> tuple[int, ...]:
    """`budget` of `steps` steps, evenly spaced, the first and the last included.

    Raises ConfigError unless 2 <= budget <= steps.
    """
    check_range("budget", budget, 2, steps)
    return tuple(sorted({round(j * (steps - 1) / (budget - 1)) for j in range(budget)}))

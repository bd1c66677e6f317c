"""Compute every n-th step, the first ones, the last ones, and everything outside a part of the sampling."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import ConfigError, brief, check_range
from ..site import Kind
from ..timeline import Timeline
from .table import Table, from_steps

MOST_NAMED = 20_000


@dataclass(frozen=True)
class Frame:
    """The steps that are computed whatever the interval says.

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
        """Whether `step` is computed because of where it lies."""
        edge = step < max(self.warmup, 1) or step >= timeline.steps - self.final
        return edge or not timeline.inside(step, self.start, self.end)

    def free(self, timeline: Timeline) -> tuple[int, ...]:
        """The steps that are not forced."""
        return tuple(step for step in range(timeline.steps) if not self.forces(step, timeline))


@dataclass(frozen=True)
class Interval:
    """Compute a step if it is a multiple of `interval`, or of a shorter one that computes less, or its place forces it.

    AB-Cache's released FLUX code is `interval=6` in `Frame(warmup=5, final=0)`: `i < 5 or i % 6 == 0`, 13 of 50 steps.
    """

    kinds: frozenset[Kind]
    interval: int
    frame: Frame = Frame()

    def __post_init__(self) -> None:
        check_range("interval", self.interval, 1, 100)

    def table(self, timeline: Timeline) -> Table:
        free = self.frame.free(timeline)
        own = sparsest(free, self.interval)
        return from_steps(self.kinds, set(range(timeline.steps)) - {s for s in free if s % own}, timeline.steps)


def sparsest(free: Sequence[int], interval: int) -> int:
    """The interval up to `interval` that has the fewest multiples among the steps `free`; of several the longest.

    Behind a warm-up a longer interval may have more of them: of 7 there are 14 in 9 to 18, of 9 there are 9 and 18. So
    a larger interval would be slower.
    """
    return min(range(interval, 0, -1), key=lambda n: sum(step % n == 0 for step in free))


@dataclass(frozen=True)
class Steps:
    """Compute just the listed steps."""

    kinds: frozenset[Kind]
    computed: tuple[int, ...]

    def __post_init__(self) -> None:
        if 0 not in self.computed:
            given = brief(str(list(self.computed)))
            raise ConfigError(f"computed_steps is {given}; step 0 must be computed, nothing comes before it.")

    def table(self, timeline: Timeline) -> Table:
        """Raises ConfigError for a step that the sampling does not have."""
        beyond = [s for s in self.computed if not 0 <= s < timeline.steps]
        if beyond:
            named = brief(str(beyond))
            raise ConfigError(f"computed_steps names {named}; this sampling has steps 0 to {timeline.steps - 1}.")
        return from_steps(self.kinds, self.computed, timeline.steps)


def evenly(steps: int, budget: int) -> tuple[int, ...]:
    """`budget` of `steps` steps, evenly spaced, the first and the last among them. Raises ConfigError unless 2 <=
    budget <= steps."""
    check_range("budget", budget, 2, steps)
    return tuple(sorted({round(j * (steps - 1) / (budget - 1)) for j in range(budget)}))


def format_steps(steps: Iterable[int]) -> str:
    """The list that `parse_steps` reads as `steps`, neighbours as ranges."""
    runs: list[list[int]] = []
    for step in sorted(set(steps)):
        if runs and runs[-1][-1] == step - 1:
            runs[-1] = [runs[-1][0], step]
        else:
            runs.append([step])
    return ",".join("-".join(map(str, run)) for run in runs)


def check_named(count: int, name: str) -> None:
    """Raise ConfigError if the text of the widget `name` names more steps, each as often as it is named, than any
    sampling could need: reading it would take a server's time."""
    if count > MOST_NAMED:
        raise ConfigError(
            f"{name} names {count} steps or more, counting again those named again; {MOST_NAMED} are allowed. Name "
            "each step once."
        )


def parse_steps(text: str, name: str = "computed_steps") -> tuple[int, ...]:
    """The steps that a list such as `0-4,6,9,13,49` names, ascending. Raises ConfigError, about the widget `name`,
    for anything else."""
    steps: set[int] = set()
    named = 0
    for part in text.replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(part) > 9:
            raise ConfigError(f"{name} has {brief(repr(part))}; write steps and ranges such as 0-4,6,9,13,49.")
        low, high = int(first), int(last) if dash else int(first)
        if not low <= high <= 9999:
            raise ConfigError(f"{name} has the range {part!r}; write it ascending, up to 9999.")
        named += high - low + 1
        check_named(named, name)
        steps.update(range(low, high + 1))
    return tuple(sorted(steps))

"""Table that was made for one sampling, used at any."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..site import Kind
from ..timeline import Timeline, same_sampling
from .table import Table


@dataclass(frozen=True)
class TableAt:
    """Table made for a sampling at `sigmas`, one more than its rows: `original` there, moved over sigma elsewhere."""

    original: Table
    sigmas: tuple[float, ...]

    def __post_init__(self) -> None:
        steps = len(self.original.rows)
        if len(self.sigmas) != steps + 1:
            raise ConfigError(f"A plan of {steps} steps needs {steps + 1} sigmas; it has {len(self.sigmas)}.")

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds of the table."""
        return self.original.kinds

    def matches(self, timeline: Timeline) -> bool:
        """True if the sampling is the one that the table was made for."""
        return same_sampling(self.sigmas, timeline.sigmas)

    def table(self, timeline: Timeline) -> Table:
        """The table at this sampling."""
        return self.original if self.matches(timeline) else self._moved(timeline)

    def _moved(self, timeline: Timeline) -> Table:
        """Each kind computed at the same share of steps, and as densely at each sigma."""
        steps = {k: moved(self.original.computed(k), self.sigmas, timeline.sigmas) for k in self.kinds}
        rows = (frozenset(k for k in self.kinds if step in steps[k]) for step in range(timeline.steps))
        return Table(self.kinds, tuple(rows))


def moved(computed: tuple[int, ...], sigmas: tuple[float, ...], here: tuple[float, ...]) -> frozenset[int]:
    """Steps of a sampling at the sigmas `here` that lie where the steps `computed` lie in a sampling at `sigmas`.

    Step 0 always; the same share of the steps, and at least 2.
    """
    steps = len(here) - 1
    count = min(steps, max(2, round(len(computed) * steps / (len(sigmas) - 1))))
    places = np.interp(
        np.linspace(0, len(computed) - 1, count), np.arange(len(computed)), [sigmas[step] for step in computed]
    )
    chosen: set[int] = {0}
    for place in places[1:]:
        left = [step for step in range(steps) if step not in chosen]
        chosen.add(min(left, key=lambda step: abs(here[step] - place)))
    return frozenset(chosen)


def at_share(computed: tuple[int, ...], steps: int, here: int) -> tuple[int, ...]:
    """Steps of a sampling of `here` steps that lie at the share of the run at which `computed` lie in one of `steps`;
    `computed` itself where the two are alike."""
    evenly = [[1 - step / count for step in range(count + 1)] for count in (steps, here)]
    return computed if steps == here else tuple(sorted(moved(computed, *map(tuple, evenly))))

"""A table that was made for one sampling, at another."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..site import Kind
from ..timeline import Timeline
from .table import Table

SAME = 1e-3  # largest difference of two sigmas, relative to the first, at which they are one step of one sampling


@dataclass(frozen=True)
class TableAt:
    """`rows` as they are where the sampling has the `sigmas` (one more than rows) that they were made for, else
    moved over sigma."""

    rows: Table
    sigmas: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.sigmas) != len(self.rows.rows) + 1:
            raise ConfigError(
                f"A plan of {len(self.rows.rows)} steps needs {len(self.rows.rows) + 1} sigmas; it has "
                f"{len(self.sigmas)}."
            )

    @property
    def kinds(self) -> frozenset[Kind]:
        return self.rows.kinds

    def fits(self, timeline: Timeline) -> bool:
        """Whether the sampling is the one that the plan was made for."""
        here = timeline.sigmas
        return len(here) == len(self.sigmas) and all(
            abs(a - b) <= SAME * self.sigmas[0] for a, b in zip(here, self.sigmas, strict=True)
        )

    def table(self, timeline: Timeline) -> Table:
        return self.rows if self.fits(timeline) else self._moved(timeline)

    def _moved(self, timeline: Timeline) -> Table:
        """Each kind computed in the same share of steps, and as dense at each sigma."""
        computed = {kind: moved(self.rows.computed(kind), self.sigmas, timeline.sigmas) for kind in self.kinds}
        return Table(
            self.kinds,
            tuple(frozenset(k for k, steps in computed.items() if step in steps) for step in range(timeline.steps)),
        )


def moved(computed: tuple[int, ...], sigmas: tuple[float, ...], here: tuple[float, ...]) -> frozenset[int]:
    """The steps of a sampling at the sigmas `here` that lie where `computed` lie in one at `sigmas`; step 0 always,
    and the same share."""
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

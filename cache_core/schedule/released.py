"""FEB-Cache's released table for DiT-XL/2, 50 DDPM steps (the authors' code; METHODS.md section 2)."""

from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from ..site import MODULES, Kind
from ..timeline import Timeline
from .table import Table

# Steps that reuse both, in the order they are run: 22 full, then `both, full` nine times, then both both both full,
# then `both, both, full` twice. The authors' file has the same 50 entries from the cleanest step to the noisiest.
_FULL, _BOTH = False, True
RELEASED = (_FULL,) * 22 + (_BOTH, _FULL) * 9 + (_BOTH, _BOTH, _BOTH, _FULL) + (_BOTH, _BOTH, _FULL) * 2


@dataclass(frozen=True)
class Released:
    """Table of the released code: 34 of 50 steps compute both kinds, 16 reuse both, none reuses only one.

    Another number of steps reuses the same share of each part of the run.
    """

    kinds: frozenset[Kind] = field(default=MODULES, init=False)

    def table(self, timeline: Timeline) -> Table:
        rows = (
            self.kinds if reused == before else frozenset()
            for before, reused in pairwise(_reused_before(timeline.steps))
        )
        return Table(self.kinds, tuple(rows))


def _reused_before(steps: int) -> list[int]:
    """Reused steps before each of `steps` steps, and in all: the released count at the same share of the run."""
    released = list(accumulate(RELEASED, initial=0))
    counts = []
    for step in range(steps + 1):
        whole, part = divmod(step * len(RELEASED), steps)
        following = released[min(whole + 1, len(RELEASED))]
        counts.append((released[whole] * steps + (following - released[whole]) * part) // len(RELEASED))
    return counts

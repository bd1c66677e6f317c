"""FEB-Cache's released table for DiT-XL/2, 50 DDPM steps (the authors' code; METHODS.md section 2)."""

from dataclasses import dataclass, field

from ..clock import Timeline
from ..site import MODULES, Kind
from .table import Table

# Steps that reuse both, in the order they are run: 22 full, then `both, full` nine times, then both both both full, both both
# full twice, with the last step full. The file stores the same 50 entries from the cleanest step to the noisiest.
_FULL, _BOTH = False, True
RELEASED = (_FULL,) * 22 + (_BOTH, _FULL) * 9 + (_BOTH, _BOTH, _BOTH, _FULL) + (_BOTH, _BOTH, _FULL) * 2


@dataclass(frozen=True)
class Released:
    """The released table: 34 of 50 steps full, 16 reuse both, none reuses only one.

    Another step count takes the entry at the same share of the run.
    """

    kinds: frozenset[Kind] = field(default=MODULES, init=False)

    def table(self, timeline: Timeline) -> Table:
        reused = (RELEASED[step * len(RELEASED) // timeline.steps] for step in range(timeline.steps))
        return Table(self.kinds, tuple(frozenset() if both else self.kinds for both in reused))

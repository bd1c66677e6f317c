"""Time that a step of each of the four states takes on one device, relative to a computed step."""

from dataclasses import dataclass, fields

from ..errors import check_range
from ..schedule import Table
from ..site import MODULES, Kind


@dataclass(frozen=True)
class Costs:
    """Time of an evaluation that reuses a kind / time of one that computes everything; 0 would be free.

    `merged`: both are reused as one residual for a list of blocks, which a table allows that never reuses one kind
    only. Measured by the calibration. Raises ConfigError for a cost outside of 0 to 2.
    """

    attention: float
    mlp: float
    both: float
    merged: float

    def __post_init__(self) -> None:
        for field in fields(self):
            check_range(f"the cost of reusing {field.name}", getattr(self, field.name), 0.0, 2.0)

    def of(self, predicted: frozenset[Kind], merged: bool = False) -> float:
        """Cost of a step that predicts the kinds `predicted`, relative to a computed one."""
        if not predicted:
            return 1.0
        if predicted == MODULES:
            return self.merged if merged else self.both
        return self.attention if Kind.ATTENTION in predicted else self.mlp

    def compute(self, table: Table) -> float:
        """Cost of a sampling by `table`, in computed evaluations."""
        merged = table.states() <= {MODULES}
        return sum(self.of(table.predicted(step), merged) for step in range(len(table.rows)))

    def speedup(self, table: Table) -> float:
        """Cost of an uncached sampling / cost of one by `table`."""
        return len(table.rows) / self.compute(table)

    def full_steps(self, steps: int, speedup: float) -> int:
        """Number n of `steps` steps that may be computed, if the others reuse both, merged, for `speedup`.

        From `n + (steps - n) merged = steps / speedup`; at least 1.
        """
        if self.merged >= 1:
            return steps
        count = int((steps / speedup - self.merged * steps) / (1 - self.merged) + 1e-9)
        return max(1, min(steps, count))

"""What the four states of a step cost on one device."""

from dataclasses import dataclass, fields

from ..errors import check_range
from ..schedule import Table
from ..site import MODULES, Kind


@dataclass(frozen=True)
class Costs:
    """Time of an evaluation that reuses something, relative to one that computes everything. `merged`: both reused,
    as one residual for a list of blocks, which a table allows that never reuses one kind alone. Measured
    (calibrate.trials); 0 would be free."""

    attention: float
    mlp: float
    both: float
    merged: float

    def __post_init__(self) -> None:
        for field in fields(self):
            check_range(f"the cost of reusing {field.name}", getattr(self, field.name), 0.0, 2.0)

    def of(self, predicted: frozenset[Kind], merged: bool = False) -> float:
        """The cost of a step that predicts `predicted`."""
        if not predicted:
            return 1.0
        if predicted == MODULES:
            return self.merged if merged else self.both
        return self.attention if Kind.ATTENTION in predicted else self.mlp

    def compute(self, table: Table) -> float:
        """The cost of a sampling by `table`, in computed evaluations."""
        merged = table.states() <= {MODULES}
        return sum(self.of(table.predicted(step), merged) for step in range(len(table.rows)))

    def speedup(self, table: Table) -> float:
        """Compute of an uncached sampling divided by that of one by `table`."""
        return len(table.rows) / self.compute(table)

    def full_steps(self, steps: int, speedup: float) -> int:
        """How many of `steps` steps may be computed where the others reuse both, merged, for `speedup`."""
        return (
            max(1, min(steps, int((steps / speedup - self.merged * steps) / (1 - self.merged) + 1e-9)))
            if self.merged < 1
            else steps
        )

"""Table of a sampling: the kinds that each step computes, known before the run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..site import OUTPUT, Kind, names


@dataclass(frozen=True)
class Table:
    """For each step a row: the kinds that are computed. The other `kinds` are predicted there.

    A row of FEB-Cache is one of four states: compute both, reuse attention, reuse MLP, reuse both. Raises
    ConfigError for no rows, for kinds that the table does not schedule, and for a first row that predicts a kind
    (there is nothing to predict from).
    """

    kinds: frozenset[Kind]
    rows: tuple[frozenset[Kind], ...]

    def __post_init__(self) -> None:
        if not self.rows:
            raise ConfigError("The table is empty; it needs one row for each step.")
        if any(not row <= self.kinds for row in self.rows):
            raise ConfigError(f"The table computes kinds it does not schedule; it schedules {names(self.kinds)}.")
        if self.rows[0] != self.kinds:
            raise ConfigError(
                f"The first step predicts {names(self.kinds - self.rows[0])}, and nothing is computed before it. Let "
                "computed_steps or edited_steps compute step 0."
            )

    def computed(self, kind: Kind) -> tuple[int, ...]:
        """Steps that compute `kind`, ascending."""
        return tuple(step for step, row in enumerate(self.rows) if kind in row)

    def predicted(self, step: int) -> frozenset[Kind]:
        """Kinds predicted at `step`. If the model's output is predicted, only that: no block runs.

        (If the run computes the model after all, its blocks are computed, too.)
        """
        kinds = self.kinds - self.rows[step]
        return OUTPUT if Kind.MODEL in kinds else kinds

    def states(self) -> frozenset[frozenset[Kind]]:
        """Different sets of kinds that steps predict, without the empty one."""
        return frozenset(map(self.predicted, range(len(self.rows)))) - {frozenset()}

    def needed(self, step: int, kind: Kind, order: int) -> bool:
        """True if the output of `kind` computed at `step` is one of the `order` newest at some later predicted step."""
        newer = 0
        for row in self.rows[step + 1 :]:
            if self._rests(kind, row):
                continue
            if kind not in row:
                return True
            newer += 1
            if newer >= order:
                return False
        return False

    def _rests(self, kind: Kind, row: frozenset[Kind]) -> bool:
        """True if `kind` is in the blocks and no block runs in `row`, because the whole model is predicted."""
        return kind is not Kind.MODEL and Kind.MODEL in self.kinds and Kind.MODEL not in row


def everything(kinds: Iterable[Kind], steps: int) -> Table:
    """Table that computes all `kinds` at each of `steps` steps."""
    kinds = frozenset(kinds)
    return Table(kinds, (kinds,) * steps)


def from_steps(kinds: Iterable[Kind], computed: Iterable[int], steps: int) -> Table:
    """Table that computes all `kinds` at the steps in `computed` and predicts all of them at the others."""
    kinds, computed = frozenset(kinds), frozenset(computed)
    return Table(kinds, tuple(kinds if step in computed else frozenset() for step in range(steps)))


def side_by_side(tables: Sequence[Table]) -> Table:
    """Table of several plans for different kinds in one run."""
    kinds = frozenset().union(*(table.kinds for table in tables))
    return Table(kinds, tuple(frozenset().union(*rows) for rows in zip(*(table.rows for table in tables), strict=True)))


def nest(outer: Table, inner: Table) -> Table:
    """Table of two plans in one run: the rows of `inner` are for the steps that `outer` computes.

    Where `outer` predicts the whole model no block runs, so nothing inside is computed either.
    """
    ran = iter(inner.rows)
    rows = tuple(row | next(ran) if row else frozenset() for row in outer.rows)
    return Table(outer.kinds | inner.kinds, rows)

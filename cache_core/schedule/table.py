"""A schedule known before the run: which kinds each step computes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..site import Kind, names


@dataclass(frozen=True)
class Table:
    """For each step the kinds that are computed; the other `kinds` are predicted there.

    A row of FEB-Cache is one of four states: compute both, reuse attention, reuse MLP, reuse both. Raises
    ConfigError for no rows, for kinds that the table does not schedule, and for a first step that predicts something
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
            raise ConfigError("The first step predicts, and nothing is computed before it; compute step 0.")

    def computed(self, kind: Kind) -> tuple[int, ...]:
        """The steps that compute `kind`, ascending."""
        return tuple(step for step, row in enumerate(self.rows) if kind in row)

    def predicted(self, step: int) -> frozenset[Kind]:
        """The kinds that `step` predicts. Where the model is, no block runs: were it computed after all, so were the blocks."""
        left = self.kinds - self.rows[step]
        return left & {Kind.MODEL} or left

    def states(self) -> frozenset[frozenset[Kind]]:
        """The different sets of predicted kinds, the empty one left out."""
        return frozenset(map(self.predicted, range(len(self.rows)))) - {frozenset()}

    def needed(self, step: int, kind: Kind, order: int) -> bool:
        """Whether a value of `kind` computed at `step` is among the `order` newest ones at some later predicted step."""
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
        """Whether no block runs in `row`, because the whole model is predicted."""
        return kind is not Kind.MODEL and Kind.MODEL in self.kinds and Kind.MODEL not in row


def everything(kinds: Iterable[Kind], steps: int) -> Table:
    """The table that computes all `kinds` at each of `steps` steps."""
    kinds = frozenset(kinds)
    return Table(kinds, (kinds,) * steps)


def from_steps(kinds: Iterable[Kind], computed: Iterable[int], steps: int) -> Table:
    """The table that computes all `kinds` at the steps in `computed` and predicts all of them elsewhere."""
    kinds, computed = frozenset(kinds), frozenset(computed)
    return Table(kinds, tuple(kinds if step in computed else frozenset() for step in range(steps)))


def side_by_side(tables: Sequence[Table]) -> Table:
    """The table of plans for different kinds of site in one run."""
    kinds = frozenset().union(*(table.kinds for table in tables))
    return Table(kinds, tuple(frozenset().union(*rows) for rows in zip(*(table.rows for table in tables), strict=True)))


def nest(outer: Table, inner: Table) -> Table:
    """The table of two plans in one run: `inner` has a row for each step that `outer` computes, and rests at the others.

    Where `outer` predicts the whole model no block runs, so nothing inside is computed either.
    """
    ran = iter(inner.rows)
    rows = tuple(row | next(ran) if row else frozenset() for row in outer.rows)
    return Table(outer.kinds | inner.kinds, rows)

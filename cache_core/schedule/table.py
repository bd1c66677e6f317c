"""Table of a sampling: the kinds that each step computes, known before the run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..site import BRANCHES, MODULES, OUTPUT, Kind, names


@dataclass(frozen=True)
class Table:
    """For each step a row: the kinds that are computed. The other `kinds` are predicted there.

    A row of FEB-Cache is one of four states: compute both, reuse attention, reuse MLP, reuse both. The guidance is
    decided at full steps, those that compute every other kind; at any other it is as at the last full one. Raises
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
        """Kinds predicted at `step`. If the model's output is predicted, no kind inside it is: no block runs.

        (If the run computes the model after all, its blocks are computed, too.)
        """
        kinds = self.kinds - self.rows[step] - BRANCHES
        return (OUTPUT if Kind.MODEL in kinds else kinds) | self._branches(step)

    def full(self, step: int) -> bool:
        """True if `step` computes every kind but the guidance."""
        return self.rows[step] | BRANCHES >= self.kinds

    def full_steps(self) -> tuple[int, ...]:
        """Full steps, ascending."""
        return tuple(filter(self.full, range(len(self.rows))))

    def _branches(self, step: int) -> frozenset[Kind]:
        """The guidance, if `step` predicts it. A branch that was left out at the last full step has nothing newer to be
        predicted from by itself."""
        if Kind.GUIDANCE not in self.kinds:
            return frozenset()
        while not self.full(step):
            step -= 1
        return BRANCHES - self.rows[step]

    @property
    def work(self) -> float:
        """Model work of the sampling, in computed evaluations: of a row the share of its kinds, all alike; without the
        unconditional branch half of that. Attention and MLP are half of the model each, also where one of them is
        always computed."""
        return sum(map(self._work, range(len(self.rows))))

    def _work(self, step: int) -> float:
        inside = self.kinds - BRANCHES
        always = MODULES - inside if inside & MODULES else frozenset[Kind]()
        computed = len(self.rows[step] - BRANCHES) + len(always)
        share = computed / (len(inside) + len(always)) if inside else 1.0
        return share / 2 if self._branches(step) else share

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
        """True if nothing of `kind` is read at `row` that was not read before: of the blocks where the whole model is
        predicted, of the guidance where the step is not full."""
        if kind is Kind.GUIDANCE:
            return not row | BRANCHES >= self.kinds
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
    """Table of two plans in one run: the rows of `inner` are for the steps at which `outer` computes everything.

    Where `outer` predicts the whole model no block runs, so nothing inside is computed either.
    """
    ran = iter(inner.rows)
    rows = tuple(row | next(ran) if row == outer.kinds else row for row in outer.rows)
    return Table(outer.kinds | inner.kinds, rows)

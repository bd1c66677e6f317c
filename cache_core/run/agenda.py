"""Kinds predicted and kept at each step of one sampling: by the plans, and by what the run has barred since."""

from collections.abc import Iterable

from ..errors import ConfigError
from ..plan import Plan, table_of
from ..schedule import Table, everything
from ..site import BRANCHES, MODULES, Kind, Sites
from ..timeline import Timeline


class Agenda:
    """The decisions of one run, without tensors.

    `table`: kinds computed at each step; a run may replace it. `barred`: kinds computed after all. `trying`: sets of
    kinds that a run for calibration tries at each step, empty in any other run. `correcting`: the plan that corrects
    the model's output, if any. `ranges`: of blocks that may be predicted; empty = all. `sites`: of each step those that
    may be predicted, `tries`: sets of them to be tried; empty = all, and none.

    `Kind.BLOCKS` stands for attention and MLP together: it is kept and predicted only where both are.
    """

    def __init__(self, plans: tuple[Plan, ...], timeline: Timeline):
        self.plans, self.steps, self.barred = plans, timeline.steps, frozenset[Kind]()
        self.tries = next((plan.tries for plan in plans if plan.tries), ())
        tried = [trial for plan in plans for trial in (*plan.trials, *[plan.kinds] * bool(plan.tries))]
        self.trying = tuple(dict.fromkeys(tried))
        correcting = [plan for plan in plans if plan.predictor.reach]
        # of two the one for the output: its predictions were fitted together with its corrections
        self.correcting = max(correcting, key=lambda plan: Kind.MODEL in plan.kinds, default=None)
        self.ranges = tuple(found for plan in plans for found in plan.ranges)
        self.sites = next((plan.sites for plan in plans if plan.sites), ())
        for named in filter(len, (self.sites, self.tries)):
            if len(named) != timeline.steps:
                raise ConfigError(f"A plan names what each of {len(named)} steps reuses; there are {timeline.steps}.")
        self._plan_of = {kind: plan for plan in plans for kind in plan.kinds}
        self.adopt(table_of(plans, timeline))

    def adopt(self, table: Table) -> None:
        """Go by `table` from now on."""
        self.table = table
        self._kept = [_with_blocks(self._kept_at(step)) for step in range(self.steps)]

    def bar(self, kinds: Iterable[Kind]) -> None:
        """Predict and keep `kinds` no more. Without attention or MLP there are no merged blocks either."""
        kinds = frozenset(kinds)
        self.barred |= kinds | {Kind.BLOCKS} if kinds & MODULES else kinds

    def predicted(self, step: int, merged: bool) -> frozenset[Kind]:
        """Kinds that `step` predicts; none in a run for calibration. `merged`: whether lists of blocks are sites."""
        planned = frozenset[Kind]() if self.trying else self.table.predicted(step)
        return (_with_blocks(planned) if merged else planned) - self.barred

    @property
    def shown(self) -> Table:
        """The table as it is carried out: a run for calibration computes everything."""
        return everything(self.table.kinds, self.steps) if self.trying else self.table

    @property
    def by_site(self) -> bool:
        """True if an evaluation may predict some of its sites, and compute others of their kind."""
        return bool(self.sites or self.tries)

    def trials(self, step: int) -> tuple[frozenset[Kind] | Sites, ...]:
        """Sets of kinds, or of sites, to be tried at `step`."""
        return self.tries[step] if self.tries else self.trying

    def states(self) -> frozenset[frozenset[Kind]]:
        """Sets of kinds that a block may predict together."""
        if self.by_site:
            return frozenset(map(frozenset, ({kind} for kind in self.table.kinds))) | {self.table.kinds}
        return frozenset(self.trying) or self.table.states()

    def keeps(self, step: int, kind: Kind) -> bool:
        """True if a value of `kind` computed at `step` is needed later."""
        return kind in self._kept[step] and kind not in self.barred

    def plan(self, kind: Kind) -> Plan:
        """The plan of `kind`: of the blocks that of their attention; of a model that is only corrected the correcting
        one."""
        own = self._plan_of.get(Kind.ATTENTION if kind is Kind.BLOCKS else kind, self.correcting)
        if own is None:
            raise KeyError(f"No plan of this run is for {kind.value}.")
        return own

    def kept_steps(self, kind: Kind) -> list[int]:
        """The steps, ascending, whose values of attention or MLP are kept."""
        planned = [plan for plan in self.plans if kind in plan.kinds]
        if any(plan.online for plan in planned):
            return list(range(self.steps))
        order = max((plan.predictor.order for plan in planned), default=0)
        return [step for step in range(self.steps) if order and (self.trying or self.table.needed(step, kind, order))]

    def samples(self, kind: Kind) -> int:
        """The most samples of a site of `kind`, inside the model, that are held at one time; 0 if none is kept."""
        if kind is Kind.BLOCKS:
            return max(map(self.samples, MODULES))
        depth = max((plan.depth(kind) for plan in self.plans if kind in plan.kinds), default=0)
        return min(depth, len(self.kept_steps(kind)))

    def _kept_at(self, step: int) -> frozenset[Kind]:
        row = self.table.rows[step]
        if self.trying:
            return row
        kept = frozenset(
            kind
            for kind, plan in self._plan_of.items()
            if plan.online or self.table.needed(step, kind, plan.predictor.order)
        )
        kept = kept if self.table.full(step) else kept - BRANCHES  # else it would be of predicted outputs
        corrects = self.correcting is not None and self.correcting.kinds <= row
        return kept | {Kind.MODEL} if corrects else kept


def _with_blocks(kinds: frozenset[Kind]) -> frozenset[Kind]:
    return kinds | {Kind.BLOCKS} if kinds >= MODULES else kinds

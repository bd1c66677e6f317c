"""Kinds predicted and kept at each step of one sampling: what the plans say, and what a run has made of it since."""

from ..plan import Plan, table_of
from ..schedule import Table
from ..site import Kind
from ..timeline import Timeline


class Agenda:
    """`table`: what is computed at each step; it may be replaced as the run goes on. `trying`: what a run that only
    tries predictions tries at each step, empty for any other. `correcting`: the plan that corrects the model's
    output, if any."""

    def __init__(self, plans: tuple[Plan, ...], timeline: Timeline):
        self.steps = timeline.steps
        self.trying = tuple(dict.fromkeys(trial for plan in plans for trial in plan.trials))
        self.correcting = next((plan for plan in plans if plan.predictor.reach), None)  # the model's output, that is
        self._plan_of = {kind: plan for plan in plans for kind in plan.kinds}
        self.adopt(table_of(plans, timeline))

    def adopt(self, table: Table) -> None:
        """Go by `table` from now on."""
        self.table = table
        self._kept = [self._kept_at(step) for step in range(self.steps)]

    def predicted(self, step: int) -> frozenset[Kind]:
        """Kinds that `step` predicts; none in a run that only tries."""
        return frozenset() if self.trying else self.table.predicted(step)

    def kept(self, step: int) -> frozenset[Kind]:
        """Kinds whose values, computed at `step`, a later step needs."""
        return self._kept[step]

    def plan(self, kind: Kind) -> Plan:
        """The plan of `kind`; that of the blocks is the one of their attention."""
        return self._plan_of.get(Kind.ATTENTION if kind is Kind.BLOCKS else kind) or self.correcting

    def _kept_at(self, step: int) -> frozenset[Kind]:
        if self.trying:
            return self.table.rows[step]
        kept = {
            k for k, plan in self._plan_of.items() if plan.adaptive or self.table.needed(step, k, plan.predictor.order)
        }
        corrected = self.correcting and self.correcting.kinds <= self.table.rows[step]
        return frozenset(kept | {Kind.MODEL} if corrected else kept)

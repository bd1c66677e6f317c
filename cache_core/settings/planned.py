"""A plan that is given, in place of widgets."""

from dataclasses import dataclass, replace
from typing import ClassVar

from ..cache_plan import CachePlan
from ..clock import Timeline
from ..guard import Guard
from ..plan import Plan
from ..schedule import Steps
from ..site import OUTPUT


@dataclass(frozen=True)
class PlannedSettings:
    """`given`, whatever the sampling; moved over sigma where it was made for another one. `guard`: refresh earlier where errors are larger than
    the plan expects. `learned`: from an earlier run, by itself. `guidance`: of the sampling at hand, once it is known."""

    name: str
    given: CachePlan
    memory: float = 0.0
    guard: bool = False
    learned: bool = False
    guidance: str = ""
    learns: ClassVar[float] = 0.0

    def plan(self, timeline: Timeline) -> Plan:
        plan = self.given.plan(timeline, self.name, self.guidance)
        if not self.guard:
            return plan
        if self.given.expected and self.given.schedule.fits(timeline):
            return replace(plan, guard=Guard(self.given.expected))
        return replace(plan, notes=(*plan.notes, "guard: this plan does not say which errors to expect in this sampling, so none can be too large"))


@dataclass(frozen=True)
class FixedSettings:
    """`fixed`, for a sampling that is known."""

    fixed: Plan
    memory: ClassVar[float] = 0.0
    learns: ClassVar[float] = 0.0

    @property
    def name(self) -> str:
        return self.fixed.name

    def plan(self, timeline: Timeline) -> Plan:
        return self.fixed


@dataclass(frozen=True)
class ComputedSettings:
    """The model runs at each step, and is watched."""

    name: str
    memory: ClassVar[float] = 0.0
    learns: ClassVar[float] = 0.0

    def plan(self, timeline: Timeline) -> Plan:
        return Plan(Steps(OUTPUT, tuple(range(timeline.steps))), name=self.name, notes=("every step is computed, to learn from",))

"""A plan that is given, in place of widgets."""

from dataclasses import dataclass
from typing import ClassVar

from ..plan import Plan
from ..saved_plan.saved_plan import SavedPlan
from ..schedule import Steps
from ..site import OUTPUT
from ..timeline import Timeline


@dataclass(frozen=True)
class SavedPlanSettings:
    """`given`, whatever the sampling; moved over sigma where it was made for another one. `learned`: from an
    earlier run, by itself. `guidance`: of the sampling at hand, once it is known."""

    name: str
    given: SavedPlan
    memory: float = 0.0
    learned: bool = False
    guidance: str = ""
    learns: ClassVar[float] = 0.0

    def plan(self, timeline: Timeline) -> Plan:
        return self.given.plan(timeline, self.name, self.guidance)


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
        return Plan(
            Steps(OUTPUT, tuple(range(timeline.steps))),
            name=self.name,
            notes=("every step is computed, to learn from",),
        )

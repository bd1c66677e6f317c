"""A plan that is given, in place of widgets."""

from dataclasses import dataclass
from typing import ClassVar

from ..cache_plan import CachePlan
from ..clock import Timeline
from ..plan import Plan
from ..schedule import Steps
from ..site import OUTPUT


@dataclass(frozen=True)
class PlannedSettings:
    """`given`, whatever the sampling; moved over sigma where it was made for another one. `learned`: from an earlier run, by itself."""

    name: str
    given: CachePlan
    memory: float = 0.0
    learned: bool = False
    learns: ClassVar[float] = 0.0

    def plan(self, timeline: Timeline) -> Plan:
        return self.given.plan(timeline, self.name)


@dataclass(frozen=True)
class ComputedSettings:
    """The model runs at each step, and is watched."""

    name: str
    memory: ClassVar[float] = 0.0
    learns: ClassVar[float] = 0.0

    def plan(self, timeline: Timeline) -> Plan:
        return Plan(Steps(OUTPUT, tuple(range(timeline.steps))), name=self.name)

"""Settings without widgets: a saved plan, a plan that is known, or no prediction at all."""

from dataclasses import dataclass
from typing import ClassVar

from ..errors import check_range
from ..plan import Plan
from ..saved_plan.saved_plan import SavedPlan
from ..schedule import Steps
from ..site import OUTPUT, Kind
from ..timeline import Timeline

MOST_MEMORY = 1024.0  # GB


def check_memory(gigabytes: float) -> None:
    """Raise ConfigError unless the memory widget may hold this amount."""
    check_range("memory", gigabytes, 0.0, MOST_MEMORY)


@dataclass(frozen=True)
class SavedPlanSettings:
    """The plan `given`; moved over sigma where it was made for another sampling. `learned`: from an earlier run, by
    AB-Cache Apply itself. `guidance`: of the sampling at hand, once it is known."""

    name: str
    given: SavedPlan
    memory: float = 0.0
    learned: bool = False
    guidance: str = ""
    learns: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_memory(self.memory)

    def plan(self, timeline: Timeline) -> Plan:
        return self.given.plan(timeline, self.name, self.guidance)


@dataclass(frozen=True)
class FixedSettings:
    """The plan `fixed`, for a sampling that is known."""

    fixed: Plan
    memory: float = 0.0
    learns: ClassVar[float] = 0.0

    @property
    def name(self) -> str:
        return self.fixed.name

    def plan(self, timeline: Timeline) -> Plan:
        return self.fixed


@dataclass(frozen=True)
class ComputedSettings:
    """No prediction: the model runs at each step, to be watched. `kinds`: of the node, to be shown."""

    name: str
    kinds: frozenset[Kind] = OUTPUT
    memory: ClassVar[float] = 0.0
    learns: ClassVar[float] = 0.0

    def plan(self, timeline: Timeline) -> Plan:
        return Plan(
            Steps(self.kinds, tuple(range(timeline.steps))),
            name=self.name,
            notes=("every step is computed, to learn from",),
        )

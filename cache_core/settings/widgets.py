"""Settings: the protocol of all of them, and the base of those that are made of an Apply node's widgets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

from ..errors import ConfigError
from ..plan import Plan
from ..saved_plan.saved_plan import SavedPlan
from ..schedule import Table
from ..site import Kind, names
from ..timeline import Timeline
from .presets import CUSTOM, RETIRED, Values, resolve
from .saved import SavedPlanSettings

W = TypeVar("W", bound="WidgetSettings")


class Settings(Protocol):
    """Frozen settings of one cache, turned into a plan once the sampling is known. `memory`: GB on the device, 0 = by
    what is free. `learns`: the speed-up, in evaluations, of the plan to be learned; 0 = none is."""

    @property
    def name(self) -> str:
        """The name in reports and logs."""
        ...

    @property
    def memory(self) -> float:
        """GB on the device; 0 = by what is free."""
        ...

    @property
    def learns(self) -> float:
        """Speed-up, in evaluations, of the plan to be learned; 0 = none."""
        ...

    def plan(self, timeline: Timeline) -> Plan:
        """The plan for a sampling with these sigmas."""
        ...


@dataclass(frozen=True)
class WidgetSettings(Settings):
    """The checked widgets of an Apply node. `title`: the name of the method; `node`: of the node; `other`: of that for
    other kinds. `kinds`: sites that it caches. `defaults`, `presets`: of the widgets that a preset sets. `beside`:
    what the other widgets show at first."""

    preset: str
    title: ClassVar[str]
    node: ClassVar[str]
    other: ClassVar[str]
    kinds: ClassVar[frozenset[Kind]]
    defaults: ClassVar[Values]
    presets: ClassVar[Mapping[str, Values]]
    beside: ClassVar[Values]

    @classmethod
    def of(cls: type[W], preset: str, given: Values) -> W:
        """The settings for `preset` and the widgets in `given`; those left out show their defaults. Raises ConfigError
        for a value out of range."""
        beside = {name: given[name] for name in cls.beside if name in given}
        widgets = {name: value for name, value in given.items() if name not in {*cls.beside, *RETIRED}}
        name, values = resolve(cls.presets, cls.defaults, preset, {**cls.defaults, **widgets})
        return cls(name, **values, **beside)

    @classmethod
    def of_plan(cls, plan: SavedPlan, memory: float = 0.0) -> SavedPlanSettings:
        """The settings for a plan in place of the widgets. Raises ConfigError for a plan of other kinds."""
        if not plan.table.kinds <= cls.kinds:
            raise ConfigError(
                f"This plan is for {names(plan.table.kinds)}; {cls.node} takes plans for {names(cls.kinds)}. "
                f"Connect it to {cls.other}."
            )
        return SavedPlanSettings(f"{cls.title}, plan", plan, memory)

    @property
    def name(self) -> str:
        """The name in reports and logs."""
        return f"{self.title} {self.preset}"

    def unlearned(self: W) -> W:
        """The settings before anything is learned."""
        off: dict[str, Any] = {"learn": False}
        return replace(self, **off)

    def edited(self, wanted: Table, timeline: Timeline) -> dict[str, Any]:
        """The widgets, by name, that make the table `wanted`. The preset is custom from then on."""
        values = {name: getattr(self, name) for name in self.defaults}
        return {**values, "preset": CUSTOM, **self._written(wanted, timeline)}

    def _written(self, wanted: Table, timeline: Timeline) -> dict[str, str]:
        """The widget, by name, that holds single steps, with the text for `wanted`."""
        raise NotImplementedError

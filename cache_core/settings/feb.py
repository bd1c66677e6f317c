"""What FEB-Cache Apply can be told, and the plan it makes of it."""

from dataclasses import dataclass
from typing import ClassVar

from ..errors import check_choice, check_range
from ..noise_scale import NoiseScale
from ..plan import Plan
from ..predictor import GAIN_LIMIT, Extrapolation
from ..schedule import Edited, Frame, Released, TwoStage
from ..timeline import Timeline
from .presets import AUTO, Values, auto_warmup, resolve

ORDERS = {"reuse": 1, "order 2": 2, "order 3": 3}
TABLES = ("two-stage", "released")
MOST_MEMORY = 1024.0
DEFAULTS = {
    "attention_interval": 3,
    "mlp_interval": 3,
    "fragile_interval": 1,
    "stage_boundary": 0.4,
    "warmup_steps": 5,
    "final_steps": 1,
    "start_percent": 0.0,
    "end_percent": 1.0,
    "predictor": "reuse",
    "noise_scale_high": 1.0,
    "noise_scale_low": 1.0,
    "table": "two-stage",
    "edited_steps": "",
}
# measured on the lab's model, where reusing both at once beats the stage rule at equal compute: `python3
# scripts/demo.py`
PRESETS = {
    "auto": {"attention_interval": 2, "mlp_interval": 2, "fragile_interval": 2, "warmup_steps": 8},
    "quality": {"attention_interval": 2, "mlp_interval": 2, "fragile_interval": 2, "warmup_steps": 12},
    "balanced": {"attention_interval": 2, "mlp_interval": 2, "fragile_interval": 2, "warmup_steps": 8},
    "fast": {"attention_interval": 3, "mlp_interval": 3, "fragile_interval": 3, "warmup_steps": 8},
    "paper": {"table": "released", "noise_scale_high": 0.98, "noise_scale_low": 0.96},
}


def check_memory(gigabytes: float) -> None:
    """Raise ConfigError unless this is an amount of memory that the widget may hold."""
    check_range("memory", gigabytes, 0.0, MOST_MEMORY)


@dataclass(frozen=True)
class FEBSettings:
    """The widgets of FEB-Cache Apply, checked. `plan` turns them into a plan once the sampling is known."""

    preset: str
    attention_interval: int
    mlp_interval: int
    fragile_interval: int
    stage_boundary: float
    warmup_steps: int
    final_steps: int
    start_percent: float
    end_percent: float
    predictor: str
    noise_scale_high: float
    noise_scale_low: float
    table: str = "two-stage"
    edited_steps: str = ""
    memory: float = 0.0  # GB; 0: what is free
    learns: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_choice("table", self.table, TABLES)
        check_choice("predictor", self.predictor, tuple(ORDERS))
        check_memory(self.memory)
        self.plan(Timeline.even(50)).schedule.table(Timeline.even(50))  # edited_steps, too

    @classmethod
    def of(cls, preset: str, given: Values) -> "FEBSettings":
        """The settings of a node whose widgets, in `given`, stand beside `preset`. Widgets left out show their defaults."""
        widgets = {**DEFAULTS, **given}
        memory = widgets.pop("memory", 0.0)  # no part of a preset: how a machine is, not what to compute
        name, values = resolve(PRESETS, DEFAULTS, preset, widgets)
        return cls(name, memory=memory, **values)

    @property
    def name(self) -> str:
        return f"FEB-Cache {self.preset}"

    def plan(self, timeline: Timeline) -> Plan:
        """Raises ConfigError for a value out of range."""
        scale = NoiseScale(self.noise_scale_high, self.noise_scale_low, self.stage_boundary)
        predictor = Extrapolation(ORDERS[self.predictor], gain_limit=GAIN_LIMIT)
        base = self._schedule(timeline.steps)
        schedule = Edited(base, self.edited_steps) if self.edited_steps.strip() else base
        return Plan(
            schedule, predictor, scale, self.name, merge=self.table != "released"
        )  # the authors keep every site

    def _schedule(self, steps: int) -> TwoStage | Released:
        """The authors' table, or the two-stage rule."""
        if self.table == "released":
            return Released()
        warmup = auto_warmup(steps) if self.preset == AUTO else self.warmup_steps
        frame = Frame(warmup, self.final_steps, self.start_percent, self.end_percent)
        return TwoStage(self.attention_interval, self.mlp_interval, self.fragile_interval, self.stage_boundary, frame)

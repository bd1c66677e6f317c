"""The widgets of FEB-Cache Apply, and the plan they make."""

from dataclasses import dataclass, replace

from ..errors import check_choice
from ..noise_scale import NoiseScale
from ..plan import Plan
from ..predictor import GAIN_LIMIT, Extrapolation
from ..schedule import Edited, Frame, Released, Table, TwoStage, differences, format_edits, parse_edits
from ..site import MODULES
from ..timeline import Timeline
from .foreseen import foreseeable, foreseen
from .presets import AUTO, CUSTOM, Values, auto_warmup
from .saved import check_memory
from .widgets import WidgetSettings

ORDERS = {"reuse": 1, "order 2": 2, "order 3": 3}
TABLES = ("two-stage", "released")
DEFAULTS: Values = {
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
# steps for each computed one, once a plan is learned; before, see foreseen.py
LEARNED = {"auto": 2.0, "quality": 1.5, "balanced": 2.0, "fast": 3.0}
PRESETS: dict[str, Values] = {  # the widgets of the first four count where nothing can be foreseen
    "auto": {"attention_interval": 2, "mlp_interval": 2, "fragile_interval": 2, "warmup_steps": 8},
    "quality": {"attention_interval": 2, "mlp_interval": 2, "fragile_interval": 2, "warmup_steps": 12},
    "balanced": {"attention_interval": 2, "mlp_interval": 2, "fragile_interval": 2, "warmup_steps": 8},
    "fast": {"attention_interval": 3, "mlp_interval": 3, "fragile_interval": 3, "warmup_steps": 8},
    "paper": {"table": "released", "noise_scale_high": 0.98, "noise_scale_low": 0.96},
}


@dataclass(frozen=True)
class FEBSettings(WidgetSettings):
    """The checked widgets of FEB-Cache Apply."""

    title, node, other, kinds = "FEB-Cache", "FEB-Cache Apply", "AB-Cache Apply", MODULES
    defaults, presets, beside = DEFAULTS, PRESETS, {"memory": 0.0, "learn": True}
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
    memory: float = 0.0  # GB; 0 = by what is free
    learn: bool = False

    def __post_init__(self) -> None:
        check_choice("table", self.table, TABLES)
        check_choice("predictor", self.predictor, tuple(ORDERS))
        check_memory(self.memory)
        self.plan(Timeline.even(50)).schedule.table(Timeline.even(50))  # edited_steps, too

    @property
    def learns(self) -> float:
        """Steps for each computed one in the plan to be learned for this sampling; 0 where the widgets count."""
        return LEARNED.get(self.preset, 0.0) if self.learn else 0.0

    def plan(self, timeline: Timeline) -> Plan:
        """The foreseen plan of a preset, else that of the widgets. Raises ConfigError for a value out of range."""
        if self.preset in LEARNED and foreseeable(timeline):
            return foreseen(timeline, MODULES, self.name)
        scale = NoiseScale(self.noise_scale_high, self.noise_scale_low, self.stage_boundary)
        predictor = Extrapolation(ORDERS[self.predictor], gain_limit=GAIN_LIMIT)
        base = self._schedule(timeline.steps)
        schedule = Edited(base, self.edited_steps) if self.edited_steps.strip() else base
        # the authors keep every site
        return Plan(schedule, predictor, scale, self.name, merge=self.table != "released")

    def _written(self, wanted: Table, timeline: Timeline) -> dict[str, str]:
        """Edits of steps beyond this sampling stay. What a foreseen preset predicts is predicted further on."""
        base = replace(self, preset=CUSTOM)._schedule(timeline.steps).table(timeline)
        beyond = {cell: to for cell, to in parse_edits(self.edited_steps).items() if cell[0] >= timeline.steps}
        written = {"edited_steps": format_edits({**differences(base, wanted), **beyond})}
        foresaw = self.preset in LEARNED and foreseeable(timeline)
        return {**written, "predictor": "order 2"} if foresaw else written

    def _schedule(self, steps: int) -> TwoStage | Released:
        """The authors' table, or the two-stage rule."""
        if self.table == "released":
            return Released()
        warmup = auto_warmup(steps) if self.preset == AUTO else self.warmup_steps
        frame = Frame(warmup, self.final_steps, self.start_percent, self.end_percent)
        return TwoStage(self.attention_interval, self.mlp_interval, self.fragile_interval, self.stage_boundary, frame)

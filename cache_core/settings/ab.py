"""The widgets of AB-Cache Apply, and the plan they make."""

from dataclasses import dataclass
from typing import ClassVar

from ..errors import check_range
from ..plan import Plan
from ..predictor import GAIN_LIMIT, Extrapolation
from ..predictor.extrapolation import Coefficients
from ..schedule import Adaptive, Frame, Interval, Steps, Table, format_steps, parse_steps
from ..site import OUTPUT, Kind
from ..timeline import Timeline
from .foreseen import foreseeable, foreseen
from .presets import AUTO, Values, auto_warmup
from .widgets import WidgetSettings

DEFAULTS: Values = {
    "order": 2,
    "interval": 5,
    "warmup_steps": 8,
    "final_steps": 1,
    "start_percent": 0.0,
    "end_percent": 1.0,
    "coefficients": "node-aware",
    "damping": 0.0,
    "computed_steps": "",
    "after_guidance": False,
    "tolerance": 0.0,
}
PRESETS: dict[str, Values] = {  # the widgets of the first four count where nothing can be foreseen
    "auto": {},
    "quality": {"interval": 3},
    "balanced": {},
    "fast": {"interval": 6, "warmup_steps": 5},
    "paper": {"interval": 6, "warmup_steps": 5, "final_steps": 0, "coefficients": "paper"},
}
# steps for each computed one, once a plan is learned; before, see foreseen.py
LEARNED = {"auto": 3.0, "quality": 2.0, "balanced": 3.0, "fast": 4.0}


@dataclass(frozen=True)
class ABSettings(WidgetSettings):
    """The checked widgets of AB-Cache Apply."""

    title, node, other, kinds = "AB-Cache", "AB-Cache Apply", "FEB-Cache Apply", OUTPUT
    defaults, presets, beside = DEFAULTS, PRESETS, {"learn": True}
    order: int
    interval: int
    warmup_steps: int
    final_steps: int
    start_percent: float
    end_percent: float
    coefficients: Coefficients
    damping: float
    computed_steps: str
    after_guidance: bool
    tolerance: float
    learn: bool = False
    memory: ClassVar[float] = 0.0  # a few latents are kept

    def __post_init__(self) -> None:
        check_range("interval", self.interval, 1, 12)
        check_range("tolerance", self.tolerance, 0.0, 0.2)
        if self.computed_steps.strip():
            parse_steps(self.computed_steps)
        self.plan(Timeline.even(50))

    @property
    def learns(self) -> float:
        """Steps for each computed one in the plan to be learned for this sampling; 0 where the widgets count."""
        return LEARNED.get(self.preset, 0.0) if self.learn else 0.0

    def plan(self, timeline: Timeline) -> Plan:
        """The foreseen plan of a preset, else that of the widgets. Raises ConfigError for a value out of range."""
        if self.preset in LEARNED and foreseeable(timeline):
            return foreseen(timeline, OUTPUT, self.name)
        # the published coefficients have no limit; a tolerance already limits how far a prediction reaches
        free = self.coefficients == "paper" or self.tolerance
        limit = float("inf") if free else GAIN_LIMIT
        predictor = Extrapolation(self.order, self.coefficients, self.damping, limit)
        return Plan(self._schedule(timeline), predictor, name=self.name, guided=self.after_guidance)

    def _written(self, wanted: Table, timeline: Timeline) -> dict[str, str]:
        return {"computed_steps": format_steps(wanted.computed(Kind.MODEL))}

    def _schedule(self, timeline: Timeline) -> Interval | Steps | Adaptive:
        warmup = auto_warmup(timeline.steps) if self.preset == AUTO else self.warmup_steps
        frame = Frame(warmup, self.final_steps, self.start_percent, self.end_percent)
        if self.computed_steps.strip():
            return Steps(OUTPUT, tuple(s for s in parse_steps(self.computed_steps) if s < timeline.steps))
        if self.tolerance:
            return Adaptive(OUTPUT, self.tolerance, self.interval, frame)
        return Interval(OUTPUT, self.interval, frame)

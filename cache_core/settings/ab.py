"""What AB-Cache Apply can be told, and the plan it makes of it."""

from dataclasses import dataclass
from typing import ClassVar

from ..errors import check_range
from ..plan import Plan
from ..predictor import GAIN_LIMIT, Extrapolation
from ..schedule import Adaptive, Frame, Interval, Steps, parse_steps
from ..site import OUTPUT
from ..timeline import Timeline
from .presets import AUTO, Values, auto_warmup, resolve

DEFAULTS = {
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
PRESETS = {  # measured on the lab's model, 50 steps: `python3 scripts/demo.py`
    "auto": {},
    "quality": {"interval": 3},
    "balanced": {},
    "fast": {"interval": 6, "warmup_steps": 5},
    "paper": {"interval": 6, "warmup_steps": 5, "final_steps": 0, "coefficients": "paper"},
}
LEARNED = {
    "auto": 3.0,
    "quality": 2.0,
    "balanced": 3.0,
    "fast": 4.0,
}  # steps for each computed one, once a plan is learned


@dataclass(frozen=True)
class ABSettings:
    """The widgets of AB-Cache Apply, checked. `plan` turns them into a plan once the sampling is known."""

    preset: str
    order: int
    interval: int
    warmup_steps: int
    final_steps: int
    start_percent: float
    end_percent: float
    coefficients: str
    damping: float
    computed_steps: str
    after_guidance: bool
    tolerance: float
    learn: bool = False
    memory: ClassVar[float] = 0.0  # what it keeps is a few latents

    def __post_init__(self) -> None:
        check_range("interval", self.interval, 1, 12)
        check_range("tolerance", self.tolerance, 0.0, 0.2)
        if self.computed_steps.strip():
            parse_steps(self.computed_steps)
        self.plan(Timeline.even(50))

    @classmethod
    def of(cls, preset: str, given: Values) -> "ABSettings":
        """The settings of a node whose widgets, in `given`, stand beside `preset`. Widgets left out show their defaults."""
        widgets = {**DEFAULTS, **given}
        widgets.pop("guard", None)  # of workflows that older packs saved
        learn = bool(widgets.pop("learn", False))  # no part of a preset
        name, values = resolve(PRESETS, DEFAULTS, preset, widgets)
        return cls(name, **values, learn=learn)

    @property
    def name(self) -> str:
        return f"AB-Cache {self.preset}"

    @property
    def learns(self) -> float:
        """The speed-up, in evaluations, of the plan that is to be learned for this sampling; 0 where the widgets are
        the plan."""
        return LEARNED.get(self.preset, 0.0) if self.learn else 0.0

    def plan(self, timeline: Timeline) -> Plan:
        """Raises ConfigError for a value out of range."""
        free = (
            self.coefficients == "paper" or self.tolerance
        )  # as published; and a tolerance already limits how far a prediction reaches
        limit = float("inf") if free else GAIN_LIMIT
        predictor = Extrapolation(self.order, self.coefficients, self.damping, limit)
        return Plan(self._schedule(timeline), predictor, name=self.name, guided=self.after_guidance)

    def _schedule(self, timeline: Timeline) -> Interval | Steps | Adaptive:
        warmup = auto_warmup(timeline.steps) if self.preset == AUTO else self.warmup_steps
        frame = Frame(warmup, self.final_steps, self.start_percent, self.end_percent)
        if self.computed_steps.strip():
            return Steps(OUTPUT, tuple(s for s in parse_steps(self.computed_steps) if s < timeline.steps))
        if self.tolerance:
            return Adaptive(OUTPUT, self.tolerance, self.interval, frame)
        return Interval(OUTPUT, self.interval, frame)

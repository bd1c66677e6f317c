"""AB-Cache Apply."""

from dataclasses import dataclass

from ..cache_core import OUTPUT, Adaptive, Frame, Interval, Plan, Predictor, Steps, Timeline, parse_steps
from ..cache_core.errors import check_range
from . import attach
from .mailbox import Mailbox
from .widgets import CUSTOM, choice, integer, number, percents, resolve

DEFAULTS = {"order": 2, "interval": 4, "warmup_steps": 3, "final_steps": 1, "start_percent": 0.0, "end_percent": 1.0,
            "coefficients": "node-aware", "damping": 0.0, "computed_steps": "", "after_guidance": False, "tolerance": 0.0}
PRESETS = {
    "auto": {},
    "quality": {"interval": 2},
    "balanced": {},
    "fast": {"interval": 6, "warmup_steps": 4},
    "paper": {"interval": 6, "warmup_steps": 5, "final_steps": 0, "coefficients": "paper"},
}
GAIN_LIMIT = 12.0  # sum of |weights| above which the order falls: a prediction this far from its samples amplifies their noise


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

    def __post_init__(self) -> None:
        check_range("interval", self.interval, 1, 12)
        check_range("tolerance", self.tolerance, 0.0, 0.2)
        if self.computed_steps.strip():
            parse_steps(self.computed_steps)
        self.plan(Timeline.flow(tuple(1 - i / 50 for i in range(51))))

    @property
    def name(self) -> str:
        return f"AB-Cache {self.preset}"

    def plan(self, timeline: Timeline) -> Plan:
        """Raises ConfigError for a value out of range."""
        limit = float("inf") if self.coefficients == "paper" else GAIN_LIMIT
        predictor = Predictor(self.order, self.coefficients, self.damping, limit)
        return Plan(self._schedule(timeline), predictor, name=self.name, guided=self.after_guidance)

    def _schedule(self, timeline: Timeline) -> Interval | Steps | Adaptive:
        frame = Frame(self.warmup_steps, self.final_steps, self.start_percent, self.end_percent)
        if self.computed_steps.strip():
            return Steps(OUTPUT, tuple(s for s in parse_steps(self.computed_steps) if s < timeline.steps))
        if self.tolerance:
            return Adaptive(OUTPUT, self.tolerance, self.interval, frame)
        return Interval(OUTPUT, self._interval(timeline.steps), frame)

    def _interval(self, steps: int) -> int:
        """`auto` adapts the interval to the number of steps: the fewer there are, the more each one does."""
        return max(2, min(self.interval, round(steps / 12))) if self.preset == "auto" else self.interval


class ABCacheApply:
    CATEGORY = "model_patches/acceleration"
    DESCRIPTION = ("Runs the model at some steps only and extrapolates its output at the others (AB-Cache, arXiv 2504.10540). Works with any "
                   "diffusion model. Put it between the model loader and the sampler.")
    RETURN_TYPES, RETURN_NAMES = ("MODEL", "REPORT"), ("model", "report")
    OUTPUT_TOOLTIPS = ("The model with the cache attached; the one you put in stays as it is.", "For Cache Report: what happened in the run.")
    FUNCTION = "apply"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        d = DEFAULTS
        return {"required": {
            "model": ("MODEL", {"tooltip": "Any diffusion model. LoRA and sampling-shift nodes may come before or after this one."}),
            "preset": choice((*PRESETS, CUSTOM), "How much to skip. auto: balanced, with the interval adapted to the number of steps. quality, balanced, "
                             "fast: ever fewer steps computed. paper: the authors' FLUX schedule. Moving another widget makes it custom.",
                             presets=PRESETS),
            "order": integer(d["order"], 1, 4, "Computed outputs that a prediction is made from. 1 = plain reuse. More follows the curve "
                                               "better and amplifies noise more; 2 or 3 is best from 20 steps on."),
            "interval": integer(d["interval"], 1, 12, "Every how many steps the model runs. 1 = always. More is faster and less exact. With "
                                                      "a tolerance: the most steps predicted in a row."),
            "warmup_steps": integer(d["warmup_steps"], 0, 20, "Steps at the start that are always computed. More keeps the composition closer."),
            "final_steps": integer(d["final_steps"], 0, 20, "Steps at the end that are always computed. More keeps fine detail closer."),
            **percents(),
            "coefficients": choice(("node-aware", "paper"), "node-aware: weights from the real distances between the steps. paper: the published "
                                                            "constants, right only for steps computed one after another."),
            "damping": number(d["damping"], 0.0, 1.0, 0.05, "Share of plain reuse mixed into the prediction. 0 = none, 1 = reuse only. More is "
                                                            "safer where the output jumps."),
            "computed_steps": ("STRING", {"default": "", "tooltip": "Steps to compute, such as 0-4,6,9,13,49. Empty = by interval."}),
            "after_guidance": ("BOOLEAN", {"default": False, "tooltip": "Predict once, after guidance, instead of each conditioning: also saves "
                                                                       "ControlNet. Not for cfg_pp samplers."}),
            "tolerance": number(d["tolerance"], 0.0, 0.2, 0.005,
                                "0 = fixed interval. Above 0: compute when the relative disagreement of two predictions, summed since the last "
                                "computed step, would pass this. More is faster and less exact; 0.05 to 0.1 is usual."),
        }}

    def apply(self, model: object, preset: str, **given: object) -> tuple[object, Mailbox]:
        name, values = resolve(PRESETS, DEFAULTS, preset, given)
        mailbox = Mailbox()
        return attach.attach(model, ABSettings(name, **values), mailbox), mailbox

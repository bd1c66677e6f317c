"""FEB-Cache Apply."""

from dataclasses import dataclass

from ..cache_core import Frame, NoiseScale, Plan, Predictor, Released, Timeline, TwoStage
from ..cache_core.errors import check_choice
from . import attach
from .mailbox import Mailbox
from .widgets import CUSTOM, choice, integer, number, percents, resolve

ORDERS = {"reuse": 1, "order 2": 2, "order 3": 3}
DEFAULTS = {"attention_interval": 3, "mlp_interval": 3, "fragile_interval": 1, "stage_boundary": 0.4, "warmup_steps": 3, "final_steps": 1,
            "start_percent": 0.0, "end_percent": 1.0, "predictor": "reuse", "noise_scale_high": 1.0, "noise_scale_low": 1.0}
RULE = ("attention_interval", "mlp_interval", "fragile_interval", "warmup_steps", "final_steps", "start_percent", "end_percent")
PRESETS = {
    "auto": {},
    "quality": {"attention_interval": 2, "mlp_interval": 2},
    "balanced": {},
    "fast": {"attention_interval": 4, "mlp_interval": 4, "fragile_interval": 2},
    "paper": {"noise_scale_high": 0.98, "noise_scale_low": 0.96},
}


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
    released: bool = False

    def __post_init__(self) -> None:
        check_choice("predictor", self.predictor, tuple(ORDERS))
        self.plan(Timeline.flow(tuple(1 - i / 50 for i in range(51))))

    @property
    def name(self) -> str:
        return f"FEB-Cache {self.preset}"

    def plan(self, timeline: Timeline) -> Plan:
        """Raises ConfigError for a value out of range."""
        scale = NoiseScale(self.noise_scale_high, self.noise_scale_low, self.stage_boundary)
        return Plan(self._schedule(timeline.steps), Predictor(ORDERS[self.predictor]), scale, self.name)

    def _schedule(self, steps: int) -> TwoStage | Released:
        """The authors' table, or the two-stage rule, which `auto` adapts to the number of steps."""
        if self.released:
            return Released()
        longest = max(2, round(steps / 12)) if self.preset == "auto" else 10
        frame = Frame(self.warmup_steps, self.final_steps, self.start_percent, self.end_percent)
        return TwoStage(min(self.attention_interval, longest), min(self.mlp_interval, longest), self.fragile_interval,
                        self.stage_boundary, frame)


class FEBCacheApply:
    CATEGORY = "model_patches/acceleration"
    DESCRIPTION = ("Caches attention and MLP of each block separately, by noise stage, and can scale the noise against exposure bias (FEB-Cache, "
                   "arXiv 2503.07120). For transformers such as FLUX. Put it between the model loader and the sampler.")
    RETURN_TYPES, RETURN_NAMES = ("MODEL", "REPORT"), ("model", "report")
    OUTPUT_TOOLTIPS = ("The model with the cache attached; the one you put in stays as it is.", "For Cache Report: what happened in the run.")
    FUNCTION = "apply"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        d = DEFAULTS
        return {"required": {
            "model": ("MODEL", {"tooltip": "A diffusion transformer with separable attention and MLP, such as FLUX. It is recognised by itself."}),
            "preset": choice((*PRESETS, CUSTOM),
                             "How much to reuse. auto: balanced, with intervals adapted to the number of steps. quality, balanced, fast: ever less "
                             "computed. paper: the authors' table and noise scaling. Moving another widget makes it custom.", presets=PRESETS),
            "attention_interval": integer(d["attention_interval"], 1, 10,
                                          "Low-noise stage: every how many steps attention is computed. 1 = always. More is faster and loses coarse "
                                          "structure first."),
            "mlp_interval": integer(d["mlp_interval"], 1, 10,
                                    "High-noise stage: every how many steps the MLP is computed. 1 = always. More is faster and loses fine detail first."),
            "fragile_interval": integer(d["fragile_interval"], 1, 6,
                                        "Every how many steps the kind that the stage must keep fresh is computed: attention at high noise, the MLP at "
                                        "low noise. 1 = always. More is faster and riskier."),
            "stage_boundary": number(d["stage_boundary"], 0.0, 1.0, 0.01,
                                     "Model time at which the stages meet: 1 = pure noise, 0 = clean. For FLUX it is sigma. More makes the low-noise "
                                     "stage longer."),
            "warmup_steps": integer(d["warmup_steps"], 0, 20, "Steps at the start that are always computed. More keeps the composition closer."),
            "final_steps": integer(d["final_steps"], 0, 20, "Steps at the end that are always computed. More keeps fine detail closer."),
            **percents(),
            "predictor": choice(tuple(ORDERS),
                                "reuse: the last computed output. order 2, order 3: extrapolated from the last 2 or 3, closer, for 2 or 3 times the "
                                "cache memory."),
            "noise_scale_high": number(d["noise_scale_high"], 0.9, 1.1, 0.005,
                                       "Factor on the predicted noise towards the end of the high-noise stage. 1 = off, less leaves less noise to "
                                       "remove; the paper writes 0.98."),
            "noise_scale_low": number(d["noise_scale_low"], 0.9, 1.1, 0.005,
                                      "Factor on the predicted noise towards the end of the low-noise stage. 1 = off; the paper writes 0.96, its code "
                                      "does 1.036 in both stages."),
        }}

    def apply(self, model: object, preset: str, **given: object) -> tuple[object, Mailbox]:
        attach.require_blocks(model)
        name, values = resolve(PRESETS, DEFAULTS, preset, given)
        released = preset == "paper" and all(values[widget] == DEFAULTS[widget] for widget in RULE)
        mailbox = Mailbox()
        return attach.attach(model, FEBSettings(name, **values, released=released), mailbox), mailbox

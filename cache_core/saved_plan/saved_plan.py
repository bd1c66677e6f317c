"""Plan made for one model and sampling, with its origin and its measurements."""

from dataclasses import dataclass, field
from math import inf

from ..errors import ConfigError
from ..noise_scale import OFF, NoiseScale
from ..plan import Plan
from ..predictor import GAIN_LIMIT, Extrapolation, Fit, Fitted, Predictor
from ..schedule import Table, TableAt, from_steps
from ..site import BRANCHES, MODULES, OUTPUT, in_order
from ..timeline import Timeline
from .costs import Costs
from .curves import Curves


@dataclass(frozen=True)
class Origin:
    """Model and sampling that a plan was made for.

    `model`: class of the diffusion model. `weights`: fingerprint of its weights and patches, empty for a plan for
    all of them. `cells`: latent positions of one sample. `samples`: number of recorded samples; 0 for a published
    list. `made`: the day, or the publisher; shown, and not compared. `guidance`: a name for the guidance of the
    outputs; empty where it is not known.
    """

    model: str
    weights: str = ""
    sampler: str = ""
    cells: int = 0
    samples: int = 0
    made: str = field(default="", compare=False)
    guidance: str = ""

    def model_text(self) -> str:
        """Model and weights, in words."""
        weights = f"weights {self.weights[:12]}" if self.weights else "any weights"
        return f"for {self.model or 'any model'}, {weights}"

    def source_text(self) -> str:
        """Samples and day, or the publisher, in words."""
        if self.samples:
            return f"made from {self.samples} samples, {self.made}"
        return f"a list, not made from a run: {self.made}"


@dataclass(frozen=True)
class SavedPlan:
    """Plan of a file, or of a calibration.

    `schedule`: table at the sigmas it was made for. `fits`: weights of corrections, and of the predictions that do
    not follow `order`. `drift`: relative L2 distance of its latents to the uncached ones, as measured when it was
    made; None if not measured. `costs`: of reuse, as measured on the device of the calibration. `curves`: errors of
    reuse that it was made from. `others`: fits of the modalities behind the first, where the latent holds several;
    `drifts`: of each modality, by name, the largest of them the plan's.
    """

    origin: Origin
    schedule: TableAt
    fits: tuple[Fit, ...] = ()
    order: int = 2
    drift: float | None = None
    corrector: NoiseScale = OFF
    costs: Costs | None = None
    curves: Curves | None = None
    others: tuple[tuple[Fit, ...], ...] = ()
    drifts: tuple[tuple[str, float], ...] = ()

    @property
    def table(self) -> Table:
        """Kinds computed at each step of the sampling that the plan was made for."""
        return self.schedule.original

    @property
    def sigmas(self) -> tuple[float, ...]:
        """Sigmas `(N + 1,)` of that sampling."""
        return self.schedule.sigmas

    @property
    def speedup(self) -> float:
        """Compute of an uncached run / compute of the plan's, at the measured costs.

        Without costs: steps for each computed one, of the kind that is computed most; a branch of the guidance is half
        a step.
        """
        if self.costs:
            return self.costs.speedup(self.table)
        if self.table.kinds == BRANCHES:
            return len(self.table.rows) / self.table.work
        return len(self.table.rows) / max(len(self.table.computed(kind)) for kind in self.table.kinds)

    @property
    def half_refreshes(self) -> int:
        """Number of steps that reuse attention or the MLP, not both."""
        return sum(0 < len(row) < len(self.table.kinds) for row in self.table.rows)

    def plan(self, timeline: Timeline, name: str, guidance: str = "") -> Plan:
        """Plan for a sampling with `guidance`.

        At other sigmas than its own the table is moved and the fits are left out; under other guidance the fits are
        left out. A note says so.
        """
        note = self._misguided(guidance) or self._moved(timeline)
        merge = self.table.kinds == MODULES and self.table.states() <= {MODULES}
        predictor, notes = (self._unfitted(), (note,)) if note else (self._predictor(), ())
        return Plan(self.schedule, predictor, self.corrector, name, merge=merge, notes=notes)

    def _unfitted(self) -> Extrapolation:
        return Extrapolation(self.order, gain_limit=GAIN_LIMIT)

    def _predictor(self) -> Predictor:
        """Predictor for the sampling that the plan was made for."""
        if not self.fits:
            return self._unfitted()
        # the gaps of a calibrated plan for the model's output were measured with this extrapolation, unlimited
        limit = inf if self.table.kinds == OUTPUT else GAIN_LIMIT
        return Fitted(self.fits, Extrapolation(self.order, gain_limit=limit), self.others)

    def _moved(self, timeline: Timeline) -> str:
        """Note on other sigmas; empty if they are its own."""
        if self.schedule.matches(timeline):
            return ""
        lost = f"; its {len(self.fits)} fitted weights are for its own steps only, so order {self.order} is used"
        return (
            f"the plan is for {len(self.table.rows)} steps from sigma {_span(self.sigmas)}, this sampling has "
            f"{timeline.steps} from {_span(timeline.sigmas)}: moved over sigma{lost if self.fits else ''}"
        )

    def _misguided(self, guidance: str) -> str:
        """Note on other guidance; empty if it is that of the origin, or not known, or there are no fits."""
        if not self.fits or not guidance or self.origin.guidance in ("", guidance):
            return ""
        return (
            f"the plan was made with other guidance (cfg, ControlNets, hooks or patches): its {len(self.fits)} fitted "
            f"weights are left out and order {self.order} is used. Calibrate again with what guides this sampling"
        )

    def check_model(self, model: str, weights: str) -> None:
        """Raise ConfigError unless the plan is for a model of this class, with weights of this fingerprint."""
        if self.origin.model and self.origin.model != model:
            raise ConfigError(
                f"The plan is for {self.origin.model} and this model is {model}. Calibrate this model, or load its "
                "own plan."
            )
        if self.origin.weights and self.origin.weights != weights:
            raise ConfigError(
                f"The plan is for weights {self.origin.weights[:12]} and this {model} has {weights[:12]}: another "
                "checkpoint, other LoRAs, or a plan of an older version of this pack. Calibrate again with this model."
            )

    def text(self) -> str:
        """The plan in a few lines of words."""
        sampler = f", {self.origin.sampler}" if self.origin.sampler else ""
        return "\n".join(
            [
                self.origin.model_text(),
                f"{len(self.table.rows)} steps, sigma {_span(self.sigmas)}{sampler}",
                *self._computed_text(),
                self._speed_text(),
                *self._extras_text(),
                self._drift_text(),
                self.origin.source_text(),
            ]
        )

    def _computed_text(self) -> list[str]:
        steps = {kind.value: self.table.computed(kind) for kind in in_order(self.table.kinds)}
        return [f"{kind} computed at {len(s)} steps: {', '.join(map(str, s))}" for kind, s in steps.items()]

    def _speed_text(self) -> str:
        gain = "less compute" if self.costs else "fewer evaluations"
        weights = f"weights fitted at {len(self.fits)} steps" if self.fits else f"order {self.order}"
        weights += ", for video and sound each its own" if self.others else ""
        return f"{self.speedup:.2f}x {gain}; {weights}"

    def _extras_text(self) -> list[str]:
        scale = f"noise scale {self.corrector.high:.4g} at high noise, {self.corrector.low:.4g} at low"
        half = f"{self.half_refreshes} steps reuse one kind only"
        return [line for line, wanted in ((scale, self.corrector.active), (half, self.half_refreshes)) if wanted]

    def _drift_text(self) -> str:
        if self.drift is None:
            return "distance to the uncached pictures not measured"
        return f"off the uncached pictures by {self.drift:.4f}{self.drifts_text()}"

    def drifts_text(self) -> str:
        """Drifts of the modalities in brackets; empty where there is but one."""
        return f" ({', '.join(f'{name} {drift:.4f}' for name, drift in self.drifts)})" if self.drifts else ""


def _span(sigmas: tuple[float, ...]) -> str:
    return f"{sigmas[0]:.4g} to {sigmas[-1]:.4g}"


def model_plan(
    computed: tuple[int, ...],
    sigmas: tuple[float, ...],
    origin: Origin,
    fits: tuple[Fit, ...] = (),
    drift: float | None = None,
) -> SavedPlan:
    """Plan for the model's output, computed at the steps `computed` of a sampling at `sigmas`."""
    return SavedPlan(origin, TableAt(from_steps(OUTPUT, computed, len(sigmas) - 1), sigmas), fits, drift=drift)

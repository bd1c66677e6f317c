"""A plan that was made for one model and sampling, with everything that is known of it."""

from dataclasses import dataclass, field
from math import inf

from ..errors import ConfigError
from ..noise_scale import OFF, NoiseScale
from ..plan import Plan
from ..predictor import GAIN_LIMIT, Extrapolation, Fit, Fitted
from ..schedule import Table, TableAt, from_steps
from ..site import MODULES, OUTPUT
from ..timeline import Timeline
from .costs import Costs
from .curves import Curves


@dataclass(frozen=True)
class Origin:
    """What a plan was made for. `model`: class of the diffusion model. `weights`: fingerprint of its weights and
    patches, empty where the plan is for all of them. `cells`: latent positions of one sample. `samples`: how many
    were looked at; 0 for a published list. `made`: its day, or who has published it; shown, and no part of what two
    plans are compared by. `guidance`: a name for what guided the outputs; empty where that is not known."""

    model: str
    weights: str = ""
    sampler: str = ""
    cells: int = 0
    samples: int = 0
    made: str = field(default="", compare=False)
    guidance: str = ""


@dataclass(frozen=True)
class SavedPlan:
    """`schedule`: what each step computes. `fits`: weights of corrections, and of predictions that do not follow
    `order`. `drift`: relative L2 distance to the uncached samples, as measured when it was made; None if it was not.
    `corrector`: scale of the noise. `costs`: of reuse, as measured on the device it was made on. `curves`: the
    errors of reuse that it was made from."""

    origin: Origin
    schedule: TableAt
    fits: tuple[Fit, ...] = ()
    order: int = 2
    drift: float | None = None
    corrector: NoiseScale = OFF
    costs: Costs | None = None
    curves: Curves | None = None

    @property
    def table(self) -> Table:
        return self.schedule.rows

    @property
    def sigmas(self) -> tuple[float, ...]:
        return self.schedule.sigmas

    @property
    def speedup(self) -> float:
        """Compute of an uncached run divided by the plan's, at the measured costs; without them, steps for each
        computed one, of the kind that is computed most."""
        if self.costs:
            return self.costs.speedup(self.table)
        return len(self.table.rows) / max(len(self.table.computed(kind)) for kind in self.table.kinds)

    @property
    def alone(self) -> int:
        """Steps that reuse attention or the MLP, not both."""
        return sum(0 < len(row) < len(self.table.kinds) for row in self.table.rows)

    def plan(self, timeline: Timeline, name: str, guidance: str = "") -> Plan:
        """The plan for a sampling. At another one than it was made for the steps are moved, the weights are left
        out, and a note says so; where something else guides it than `guidance` in its origin, they are left out,
        too."""
        merge = self.table.kinds == MODULES and self.table.states() <= {MODULES}
        guided = not self.fits or not guidance or not self.origin.guidance or guidance == self.origin.guidance
        if not (guided and self.schedule.fits(timeline)):
            moved = Extrapolation(self.order, gain_limit=GAIN_LIMIT)
            note = self._moved(timeline) if guided else self._misguided()
            return Plan(self.schedule, moved, self.corrector, name, merge=merge, notes=(note,))
        widening = (
            self.fits and self.table.kinds == OUTPUT
        )  # as calibrate.gaps makes them: such gaps bear their own extrapolation
        tried = Extrapolation(self.order, gain_limit=inf if widening else GAIN_LIMIT)
        return Plan(self.schedule, Fitted(self.fits, tried) if self.fits else tried, self.corrector, name, merge=merge)

    def _moved(self, timeline: Timeline) -> str:
        lost = (
            f"; its {len(self.fits)} fitted weights are for its own steps only, so order {self.order} is used"
            if self.fits
            else ""
        )
        return (
            f"the plan is for {len(self.table.rows)} steps from sigma {self.sigmas[0]:.4g} to {self.sigmas[-1]:.4g}, "
            "this sampling has "
            f"{timeline.steps} from {timeline.sigmas[0]:.4g} to {timeline.sigmas[-1]:.4g}: moved over sigma{lost}"
        )

    def _misguided(self) -> str:
        return (
            f"the plan was made with other guidance (cfg, ControlNets, hooks or patches): its {len(self.fits)} fitted "
            "weights are left out and "
            f"order {self.order} is used. Calibrate again with what guides this sampling"
        )

    def check_model(self, model: str, weights: str) -> None:
        """Raise ConfigError, with both sides, unless the plan is for a model of this class with weights of this fingerprint."""
        if self.origin.model and self.origin.model != model:
            raise ConfigError(
                f"The plan is for {self.origin.model} and this model is {model}. Calibrate this model, or load its "
                "own plan."
            )
        if self.origin.weights and self.origin.weights != weights:
            raise ConfigError(
                f"The plan is for weights {self.origin.weights[:12]} and this {model} has {weights[:12]}: another "
                "checkpoint, other "
                "LoRAs, or a plan of an older version of this pack. Calibrate again with this model."
            )

    def text(self) -> str:
        """What is in it, in a few lines."""
        origin, sampler = self.origin, f", {self.origin.sampler}" if self.origin.sampler else ""
        kinds = sorted(self.table.kinds, key=lambda kind: kind.value)
        return "\n".join(
            [
                f"for {origin.model or 'any model'}, "
                f"{f'weights {origin.weights[:12]}' if origin.weights else 'any weights'}",
                f"{len(self.table.rows)} steps, sigma {self.sigmas[0]:.4g} to {self.sigmas[-1]:.4g}{sampler}",
                *(
                    f"{kind.value} computed at {len(self.table.computed(kind))} steps: "
                    f"{', '.join(map(str, self.table.computed(kind)))}"
                    for kind in kinds
                ),
                f"{self.speedup:.2f}x {'less compute' if self.costs else 'fewer evaluations'}; "
                f"{f'weights fitted at {len(self.fits)} steps' if self.fits else f'order {self.order}'}",
                *(
                    [f"noise scale {self.corrector.high:.4g} at high noise, {self.corrector.low:.4g} at low"]
                    if self.corrector.active
                    else []
                ),
                *([f"{self.alone} steps reuse one kind only"] if self.alone else []),
                "drift not measured"
                if self.drift is None
                else f"drift {self.drift:.4f}: relative L2 distance to the uncached samples",
                f"made from {origin.samples} samples, {origin.made}"
                if origin.samples
                else f"a list, not made from a run: {origin.made}",
            ]
        )


def model_plan(
    computed: tuple[int, ...],
    sigmas: tuple[float, ...],
    origin: Origin,
    fits: tuple[Fit, ...] = (),
    drift: float | None = None,
) -> SavedPlan:
    """A plan for the model's output, computed at the steps `computed`."""
    return SavedPlan(origin, TableAt(from_steps(OUTPUT, computed, len(sigmas) - 1), sigmas), fits, drift=drift)

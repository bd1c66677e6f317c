"""The frozen sum of the four answers: when, where, what fills the gap, how it is corrected."""

from dataclasses import dataclass

from .errors import ConfigError
from .noise_scale import OFF, NoiseScale
from .predictor import REUSE, Predictor
from .schedule import Adaptive, Schedule, Table, everything, nest, side_by_side
from .site import MODULES, Kind, names
from .timeline import Timeline

MIN_STEPS = 8  # below this there is nothing between warm-up and the last step that could be predicted without damage
MOST_STEPS = 1000  # of a plan that is made, and in a file; a sampling may have more, by the widgets


@dataclass(frozen=True)
class Plan:
    """What a run does. `schedule` also says where: its `kinds` are the sites.

    `name`: shown in logs and reports. `guided`: predict the guided output once (kind MODEL only), instead of the raw
    output of each conditioning. `merge`: keep one residual for a list of blocks, instead of all its sites, where the
    schedule only ever predicts attention and MLP together. `trials`: where this is not empty the run computes
    everything, keeps what `schedule` computes, and each of these sets of kinds is tried at each step, for
    calibration (Run.trial).
    """

    schedule: Schedule
    predictor: Predictor = REUSE
    corrector: NoiseScale = OFF
    name: str = "plan"
    guided: bool = False
    merge: bool = False
    notes: tuple[str, ...] = ()
    trials: tuple[frozenset[Kind], ...] = ()

    def __post_init__(self) -> None:
        if (self.guided or self.adaptive) and self.kinds != {Kind.MODEL}:
            raise ConfigError(
                f"{self.name} caches {names(self.kinds)}; a tolerance and guided prediction are for the whole model "
                "only."
            )
        if any(not trial or not trial <= self.kinds & MODULES for trial in self.trials):
            raise ConfigError(
                f"{self.name} tries {[names(trial) for trial in self.trials]}; it can try what it caches of attention "
                "and mlp."
            )

    @property
    def kinds(self) -> frozenset[Kind]:
        return self.schedule.kinds

    def depth(self, kind: Kind) -> int:
        """Samples of a site of `kind` that are kept."""
        least = 2 if self.adaptive else 1
        return max(least, self.predictor.order, self.predictor.reach if kind is Kind.MODEL else 1)

    @property
    def adaptive(self) -> Adaptive | None:
        return self.schedule if isinstance(self.schedule, Adaptive) else None


def check_together(plans: tuple[Plan, ...]) -> None:
    """Raise ConfigError if these plans cannot share a run."""
    kinds = [kind for plan in plans for kind in plan.kinds]
    both = " and ".join(plan.name for plan in plans)
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"{both} cache the same sites; keep one of them on this model.")
    if len(plans) > 1 and any(plan.adaptive for plan in plans):
        raise ConfigError(
            f"{both}: with a tolerance AB-Cache decides during the run, and FEB-Cache needs to know the steps "
            "beforehand. Set tolerance to 0, or keep one of the two."
        )


def table_of(plans: tuple[Plan, ...], timeline: Timeline) -> Table:
    """The one table of a run. A plan for blocks counts only the steps at which the model runs, so the order of plans
    is free."""
    check_together(plans)
    outer = next((plan.schedule.table(timeline) for plan in plans if Kind.MODEL in plan.kinds), None)
    inner = [plan.schedule for plan in plans if Kind.MODEL not in plan.kinds]
    if outer is None:
        return side_by_side([schedule.table(timeline) for schedule in inner])
    if not inner:
        return outer
    ran = timeline.only(outer.computed(Kind.MODEL))
    return nest(outer, side_by_side([schedule.table(ran) for schedule in inner]))


def outlook(plans: tuple[Plan, ...], table: Table) -> str:
    """What the table intends, in words."""
    shares = (
        f"{kind.value} computed at {len(table.computed(kind))}" for kind in sorted(table.kinds, key=lambda k: k.value)
    )
    most = " at least" if any(plan.adaptive for plan in plans) else ""
    return ", ".join(f"{share}{most}" for share in shares) + f" of {len(table.rows)} steps"


def unfit(timeline: Timeline) -> str:
    """The reason why nothing of a sampling can be predicted, whatever the plans; empty if it can."""
    if timeline.steps < MIN_STEPS:
        return f"{timeline.steps} steps leave nothing to predict (at least {MIN_STEPS} are needed)"
    return "the sigmas rise, and predictions are for falling ones" if timeline.rises else ""


def uncached(plans: tuple[Plan, ...], timeline: Timeline) -> Table:
    """The table that computes everything these plans could predict."""
    return everything(frozenset().union(*(plan.kinds for plan in plans)), timeline.steps)

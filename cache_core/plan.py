"""Plan of a run, frozen: when to compute, where, from which predictor, and how the noise is scaled."""

from dataclasses import dataclass
from itertools import pairwise

from .errors import ConfigError
from .noise_scale import OFF, NoiseScale
from .predictor import REUSE, Compensation, Predictor
from .schedule import Adaptive, Online, Schedule, Table, everything, nest, side_by_side
from .site import BRANCHES, MODULES, OUTPUT, Kind, Range, Sites, in_order, names
from .timeline import Timeline

MIN_STEPS = 8  # with fewer, no step between warm-up and the last one can be predicted without damage
MOST_STEPS = 1000  # of a saved plan; a sampling by the widgets may have more


@dataclass(frozen=True)
class Plan:
    """Plan for the kinds of site that `schedule` has.

    `name`: shown in logs and reports. `guided`: the guided output is predicted once (kind MODEL only), instead of the
    raw output of each conditioning. `merge`: one residual is kept for a list of blocks, instead of all its sites,
    where the schedule predicts attention and MLP only together. `notes`: sentences for the report. `trials`: sets of
    kinds to be tried at each step, for calibration (Run.trial); if there are any, the run computes everything and
    keeps the outputs that `schedule` computes. `compensation`: of reused outputs of the model, by channel. `ranges`:
    the blocks that may be predicted, each range as one residual, while the others run at every step; empty = all
    blocks. `sites`: of each step those that it predicts, of the kinds that `schedule` predicts there, while the others
    run; empty = all. `tries`: for each step sets of sites to be tried there, as `trials` are. Raises ConfigError for
    parts that do not go together.
    """

    schedule: Schedule
    predictor: Predictor = REUSE
    corrector: NoiseScale = OFF
    name: str = "plan"
    guided: bool = False
    merge: bool = False
    notes: tuple[str, ...] = ()
    trials: tuple[frozenset[Kind], ...] = ()
    compensation: Compensation | None = None
    ranges: tuple[Range, ...] = ()
    sites: tuple[Sites, ...] = ()
    tries: tuple[tuple[Sites, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.compensation and (self.kinds != OUTPUT or self.predictor.order > 1):
            raise ConfigError(f"{self.name} compensates {names(self.kinds)}; only a reused output of the model can be.")
        if (self.guided or isinstance(self.schedule, Adaptive)) and self.kinds != OUTPUT:
            raise ConfigError(
                f"{self.name} caches {names(self.kinds)}; tolerance and after_guidance are for the model's output. Set "
                "tolerance to 0 and after_guidance to false."
            )
        if self.kinds > BRANCHES:
            raise ConfigError(f"{self.name} caches {names(self.kinds)}; guidance needs a plan of its own beside it.")
        if self.online and self.online.indicator.inside and not self.kinds <= MODULES:
            raise ConfigError(
                f"{self.name} looks into the first block, and caches {names(self.kinds)}, without the blocks."
            )
        if any(not trial or not trial <= self.kinds & MODULES for trial in self.trials):
            raise ConfigError(
                f"{self.name} tries {[names(trial) for trial in self.trials]}; allowed are the kinds that it caches, "
                f"{names(self.kinds)}, without the model's output."
            )
        if self.ranges and not (self.merge and self.kinds == MODULES):
            raise ConfigError(f"{self.name} has ranges of blocks; they are for attention and mlp, merged.")
        for one, next_one in pairwise(sorted(self.ranges, key=lambda r: (r.path, r.start))):
            if one.path == next_one.path and one.stop > next_one.start:
                raise ConfigError(f"{self.name} has ranges of {one.path} that overlap, at block {next_one.start}.")

        if (self.sites or self.tries) and (self.merge or self.online or not self.kinds <= MODULES):
            raise ConfigError(f"{self.name} names what each step reuses; that is for attention and mlp of each block.")

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds that the plan may predict."""
        return self.schedule.kinds

    def depth(self, kind: Kind) -> int:
        """Number of outputs of a site of `kind` that are kept."""
        least = 2 if isinstance(self.schedule, Adaptive) else 1
        return max(least, self.predictor.order, self.predictor.reach if kind is Kind.MODEL else 1)

    @property
    def online(self) -> Adaptive | Online | None:
        """The schedule, if it decides during the run."""
        return self.schedule if isinstance(self.schedule, Adaptive | Online) else None


def check_together(plans: tuple[Plan, ...]) -> None:
    """Raise ConfigError if these plans cannot share a run: by their kinds, or as one decides during the run."""
    kinds = [kind for plan in plans for kind in plan.kinds]
    both = " and ".join(plan.name for plan in plans)
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"{both} cache the same parts; keep one of them on this model.")
    if len(plans) > 1 and any(isinstance(plan.schedule, Adaptive) for plan in plans):
        raise ConfigError(
            f"{both}: with a tolerance AB-Cache decides during the run, and FEB-Cache and plans for the guidance need "
            "the steps beforehand. Set tolerance to 0, or keep one of the two."
        )
    if any(plan.sites for plan in plans) and Kind.MODEL in kinds:
        raise ConfigError(f"{both}: one names what each step reuses, the other skips steps. Keep one of them.")
    if len(plans) > 1 and any(plan.online for plan in plans):
        raise ConfigError(
            f"{both}: one decides during the run, the other needs the steps beforehand. Keep one of them."
        )


def table_of(plans: tuple[Plan, ...], timeline: Timeline) -> Table:
    """The one table of a run with all these plans, in any order.

    A plan for blocks counts only the steps at which the model runs, one for the guidance those that compute everything
    else: at the others an unconditional branch that was left out would be predicted from what is long past. Raises
    ConfigError if they cannot share a run.
    """
    check_together(plans)
    groups = [[plan.schedule for plan in plans if plan.kinds & kinds] for kinds in (OUTPUT, MODULES, BRANCHES)]
    outer, *inner = filter(None, groups)
    table = side_by_side([schedule.table(timeline) for schedule in outer])
    for schedules in inner:
        ran = timeline.only(table.full_steps())
        table = nest(table, side_by_side([schedule.table(ran) for schedule in schedules]))
    return table


def outlook(plans: tuple[Plan, ...], table: Table) -> str:
    """The table in words: `attention computed at 8, mlp computed at 8 of 10 steps`."""
    least = " at least" if any(plan.online for plan in plans) else ""
    counts = (f"{kind.value} computed at {len(table.computed(kind))}{least}" for kind in in_order(table.kinds))
    return f"{', '.join(counts)} of {len(table.rows)} steps"


def unfit(timeline: Timeline) -> str:
    """Reason why no plan can predict anything of a sampling; empty if there is none."""
    if timeline.steps < MIN_STEPS:
        return f"{timeline.steps} steps leave nothing to predict (at least {MIN_STEPS} are needed)"
    return "the sigmas rise, and predictions are for falling ones" if timeline.rises else ""


def uncached(plans: tuple[Plan, ...], timeline: Timeline) -> Table:
    """Table that computes all kinds of these plans at each step."""
    return everything(frozenset().union(*(plan.kinds for plan in plans)), timeline.steps)

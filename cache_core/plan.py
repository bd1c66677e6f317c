"""The frozen sum of the four answers: when, where, what fills the gap, how it is corrected."""

from dataclasses import dataclass, replace

from .clock import Timeline
from .corrector import OFF, NoiseScale
from .errors import ConfigError
from .predictor import REUSE, Predictor
from .schedule import Adaptive, Schedule, Table, everything, nest
from .site import Kind

MIN_STEPS = 8  # below this there is nothing between warm-up and the last step that could be predicted without damage


@dataclass(frozen=True)
class Plan:
    """What a run does. `schedule` also says where: its `kinds` are the sites.

    `name`: shown in logs and reports. `guided`: predict the guided output once (kind MODEL only), instead of the raw output of
    each conditioning.
    """

    schedule: Schedule
    predictor: Predictor = REUSE
    corrector: NoiseScale = OFF
    name: str = "plan"
    guided: bool = False

    @property
    def kinds(self) -> frozenset[Kind]:
        return self.schedule.kinds

    @property
    def adaptive(self) -> Adaptive | None:
        return self.schedule if isinstance(self.schedule, Adaptive) else None


def check_together(plans: tuple[Plan, ...]) -> None:
    """Raise ConfigError if these plans cannot share a run."""
    kinds = [kind for plan in plans for kind in plan.kinds]
    names = " and ".join(plan.name for plan in plans)
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"{names} cache the same sites; keep one of them on this model.")
    if len(plans) > 1 and any(plan.adaptive for plan in plans):
        raise ConfigError(f"{names}: with a tolerance AB-Cache decides during the run, and FEB-Cache needs to know the steps "
                          "beforehand. Set tolerance to 0, or keep one of the two.")


def table_of(plans: tuple[Plan, ...], timeline: Timeline) -> Table:
    """The one table of a run. A plan for blocks counts only the steps at which the model runs, so the order of plans is free."""
    check_together(plans)
    outer = next((plan for plan in plans if Kind.MODEL in plan.kinds), None)
    inner = next((plan for plan in plans if plan is not outer), None)
    if outer is None or inner is None:
        return (outer or inner).schedule.table(timeline)
    table = outer.schedule.table(timeline)
    ran = table.computed(Kind.MODEL)
    times = tuple(timeline.times[s] for s in ran)
    sigmas = (*(timeline.sigmas[s] for s in ran), timeline.sigmas[-1])
    return nest(table, inner.schedule.table(replace(timeline, sigmas=sigmas, times=times)))


def uncached(plans: tuple[Plan, ...], timeline: Timeline) -> Table:
    """The table that computes everything these plans could predict."""
    return everything(frozenset().union(*(plan.kinds for plan in plans)), timeline.steps)

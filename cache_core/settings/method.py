"""The widgets of Cache Method, and the plan they make."""

from dataclasses import dataclass, replace
from typing import ClassVar

from ..errors import ConfigError, check_choice, check_range
from ..methods import METHODS, Method, Profile, Sampling, Variant, at_strength, method_named
from ..plan import Plan
from ..schedule import Steps
from ..site import BRANCHES
from ..timeline import Timeline
from .saved import check_memory

RELEASED, LEARNED = "as released", "learned on this model"
CURVES = (RELEASED, LEARNED)
MOST_STRENGTH = 0.8
ONE_BRANCH = "the recorded picture had no guidance: there is no second branch to leave out"
UNREAD = Profile((), (), (), (), (), means=((0.0,),), guidance=(0.0,))  # stands for one that is still to be recorded
BLIND = "the changes of this model's time embedding are not known here: every step is computed"


@dataclass(frozen=True)
class MethodSettings:
    """The checked widgets of Cache Method.

    `strength`: share of the evaluations to save; a `threshold` above 0 counts in its place. `curves`: the published
    ones, or those of a recorded picture. `memory`: GB on the device; 0 = by what is free. `variant`, `inside`: of the
    model, see methods.Sampling. `profile`: None until a picture was recorded. `schedule`: as JSON, which counts
    in place of strength, threshold and curves; empty = none. `time_changes`: of the sampling at hand, see there.
    """

    method: str
    strength: float = 0.5
    curves: str = RELEASED
    threshold: float = 0.0
    memory: float = 0.0
    variant: Variant = Variant()
    inside: bool = True
    profile: Profile | None = None
    schedule: str = ""
    time_changes: tuple[float, ...] = ()
    learns: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 0.0, MOST_STRENGTH)
        check_choice("curves", self.curves, CURVES)
        check_memory(self.memory)
        if self.threshold:  # now, and not only once a picture was recorded
            self.of.threshold.check(self.threshold)
        if self.schedule and not self.of.imports:
            able = " and ".join(method.name for method in METHODS.values() if method.imports)
            raise ConfigError(f"{self.method} takes no schedule; {able} does. Leave schedule empty.")
        if self.records and (reason := self.of.refusal(self._sampling(Timeline.even(50), UNREAD))):
            raise ConfigError(f"{self.method}: {reason}")
        if not self.records:
            self.plan(Timeline.even(50))

    @property
    def name(self) -> str:
        """The name in reports and logs."""
        return f"{self.method}, {'imported' if self.schedule else self.curves if self.of.curves else RELEASED}"

    @property
    def records(self) -> bool:
        """True if the coming sampling is computed in full, and recorded."""
        return self.curves == LEARNED and self.profile is None and self.of.curves and not self.schedule

    @property
    def of(self) -> Method:
        """The method. Raises ConfigError for an unknown one."""
        return method_named(self.method)

    def plan(self, timeline: Timeline) -> Plan:
        """The method's plan. Raises ConfigError for a sampling that it refuses, and a threshold out of range."""
        sampling = self._sampling(timeline, self.profile)
        if self.records:
            return self._computing(sampling, "every step is computed, to learn from")
        if self.schedule:
            return self.of.plan(sampling, self.of.threshold.default, self.name)
        if not self.strength and not self.threshold:
            return self._computing(sampling, "strength is 0: nothing is saved")
        if self.of.kinds == BRANCHES and self.profile and not self.profile.guidance:
            return self._computing(sampling, ONE_BRANCH)
        threshold = self.threshold or at_strength(self.of, sampling, self.strength)
        plan = self.of.plan(sampling, threshold, f"{self.name}, {self.of.threshold.name} {threshold:.3g}")
        blind = self.of.time and not (plan.online or self.profile or self.time_changes)
        return replace(plan, notes=(*plan.notes, BLIND)) if blind else plan

    def _sampling(self, timeline: Timeline, profile: Profile | None) -> Sampling:
        return Sampling(timeline, self.variant, self.inside, profile, self.schedule, self.time_changes)

    def _computing(self, sampling: Sampling, note: str) -> Plan:
        """A plan that reuses nothing, and says why."""
        return Plan(
            Steps(self.of.kinds_in(sampling), tuple(range(sampling.timeline.steps))), name=self.name, notes=(note,)
        )

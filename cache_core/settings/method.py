"""The widgets of Cache Method, and the plan they make."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from ..errors import ConfigError, RefusedError, check_choice, check_range
from ..methods import (
    METHODS,
    Displaced,
    Method,
    Profile,
    Sampling,
    Variant,
    at_strength,
    method_named,
    saved_share,
    trying,
)
from ..plan import MOST_STEPS, Plan
from ..schedule import Frame
from ..site import BRANCHES, Sites
from ..timeline import Timeline
from .saved import check_memory

RELEASED, LEARNED = "as released", "learned on this model"
CURVES = (RELEASED, LEARNED)
MOST_STRENGTH = 0.8
CHECKED = 50  # steps of the sampling that a method is checked on before the real one is known
TO_LEARN = "every step is computed, as no picture was recorded yet"  # these are notes of plans
NOTHING = "strength is 0: nothing is saved"
ONE_BRANCH = "the recorded picture had no guidance: there is no second branch to leave out"
BLIND = "the changes of this model's time embedding are not known here: every step is computed"
NONE = "at this threshold no step is reused. Set strength or threshold higher"
TOO_FAST = "no threshold comes near to strength here, and more is saved. Set threshold, or take another method"
TOO_SLOW = (
    "only some of this model's blocks are reused, and less is saved than strength asks for. Take another method, "
    "or reuse more of them by schedule, where the method reads one"
)
EXCESS, LACK = 0.2, 0.1  # shares of the evaluations
UNREAD = Profile(  # stands for one that is still to be recorded
    (), (), (), (), (), means=((0.0,),), guidance=(0.0,), displaced=Displaced((), (), ())
)


@dataclass(frozen=True)
class MethodSettings:
    """The checked widgets of Cache Method.

    `strength`: share of the evaluations to save; a `threshold` above 0 counts in its place. `curves`: the published
    ones, or those of a recorded picture. `memory`: GB on the device; 0 = by what is free. `start_percent`,
    `end_percent`: outside of them every step is computed. `variant`, `inside`: of the model, see methods.Sampling.
    `profile`: None until a picture was recorded. `schedule`: as JSON, which counts in place of strength, threshold and
    curves, or tells where to reuse (Method.places); empty = none. `time_changes`: of the sampling at hand, see there.
    """

    method: str
    strength: float = 0.5
    curves: str = RELEASED
    threshold: float = 0.0
    memory: float = 0.0
    start_percent: float = 0.0
    end_percent: float = 1.0
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
        Frame(0, 0, self.start_percent, self.end_percent)  # raises for percentages that leave nothing between them
        if self.threshold:
            self.of.threshold.check(self.threshold)
        if self.schedule and not self.of.imports:
            able = ", ".join(method.name for method in METHODS.values() if method.imports)
            raise ConfigError(f"{self.method} takes no schedule; those that do: {able}. Leave schedule empty.")
        self._check_method(Timeline.even(self.own_steps or CHECKED))

    @property
    def name(self) -> str:
        """The name in reports and logs."""
        return f"{self.method}, {'imported' if self.imported else self.curves if self.of.curves else RELEASED}"

    @property
    def records(self) -> bool:
        """True if the coming sampling is computed in full, and recorded."""
        wanted = self.curves == LEARNED and self.of.curves and self.saves
        given = bool(self.schedule) and (self.of.tries or self.imported)
        return wanted and self.profile is None and not given

    def served(self, profile: Profile) -> bool:
        """True if a profile holds all that the method learns from."""
        return not self.of.tries or profile.displaced is not None

    @property
    def imported(self) -> bool:
        """True if the schedule counts in place of strength, threshold and curves."""
        return bool(self.schedule) and not self.of.places

    @property
    def saves(self) -> bool:
        """True if anything is to be saved."""
        return bool(self.strength or self.threshold or self.imported)

    @property
    def of(self) -> Method:
        """The method. Raises ConfigError for an unknown one."""
        return method_named(self.method)

    @property
    def own_steps(self) -> int:
        """Number of steps that the schedule is for, MOST_STEPS at most; 0 = any, and without one."""
        return min(MOST_STEPS, self.of.steps(self.schedule)) if self.schedule else 0

    def plan(self, timeline: Timeline) -> Plan:
        """The method's plan. Raises ConfigError for a sampling that it refuses, and a threshold out of range."""
        sampling = self._sampling(timeline, self.profile)
        if self.records and self.of.tries and self.variant.lists:
            return trying(self.variant.lists, timeline.steps, self.name)
        if self.records or not self.saves:
            return self._computing(sampling, TO_LEARN if self.records else NOTHING)
        if self.imported:
            return self.of.plan(sampling, self.threshold or self.of.threshold.default, self.name)
        if self._one_branch:
            return self._computing(sampling, ONE_BRANCH)
        threshold = self.threshold_at(timeline)
        plan = self.of.plan(sampling, threshold, f"{self.name}, {self.of.threshold.said(threshold)}")
        return replace(plan, notes=(*plan.notes, *self._notes(plan, timeline)))

    def _notes(self, plan: Plan, timeline: Timeline) -> Iterator[str]:
        """Sentences on how much the plan saves, where that is not what was asked for."""
        sampling, part = self._sampling(timeline, self.profile), self.variant.share(plan.ranges)
        share = part if plan.online else saved_share(plan, sampling)
        if not share:
            blind = self.of.time and not (self.profile or self.time_changes)
            yield BLIND if blind else NONE
        elif not self.threshold and share > self.strength + EXCESS and not plan.online:
            yield TOO_FAST
        elif not self.threshold and (plan.ranges or plan.sites) and share < self.strength - LACK:
            yield TOO_SLOW

    def after_learning(self, timeline: Timeline) -> Plan:
        """The plan that others beside it have to go with: of a method that decides during the run even by a recorded
        picture, or names what each step reuses, the one that follows the recording. Raises ConfigError as `plan`
        does."""
        if not self.records or not (self.of.decides or self.of.names_sites):
            return self.plan(timeline)
        plan = self.of.plan(self._sampling(timeline, UNREAD), self.of.threshold.default, self.name)
        named: tuple[Sites, ...] = (frozenset(),) * timeline.steps
        return replace(plan, sites=named, merge=False) if self.of.names_sites else plan

    def threshold_at(self, timeline: Timeline) -> float:
        """The method's own threshold for a sampling: the one that is set, else by the strength."""
        return self.threshold or at_strength(self.of, self._sampling(timeline, self.profile), self.strength)

    @property
    def _one_branch(self) -> bool:
        """True for a method for the guidance where the recorded picture had none."""
        return self.of.kinds == BRANCHES and self.profile is not None and not self.profile.guidance

    def _sampling(self, timeline: Timeline, profile: Profile | None) -> Sampling:
        known = (timeline, self.variant, self.inside, profile, self.schedule, self.time_changes)
        return Sampling(*known, self.start_percent, self.end_percent)

    def _check_method(self, timeline: Timeline) -> None:
        """Raise ConfigError for a model that cannot have the method, also once a picture was recorded, and for a
        threshold out of range."""
        sampling, threshold = self._sampling(timeline, UNREAD if self.records else self.profile), self.threshold
        if self.records and (reason := self.of.refusal(sampling)):
            raise RefusedError(f"{self.method}: {reason}")
        if self.saves and not self.records and not self._one_branch:
            self.of.plan(sampling, threshold or self.of.threshold.default)

    def _computing(self, sampling: Sampling, note: str) -> Plan:
        """A plan that reuses nothing, and says why."""
        every = sampling.computing(range(sampling.timeline.steps), self.of.kinds_in(sampling))
        return Plan(every, name=self.name, notes=(note,))

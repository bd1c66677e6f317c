"""The first sampling with a preset is computed in full and recorded; from it a plan is made for all that follow."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from ...cache_core import OUTPUT, Plan
from ...cache_core.calibrate import Recorder, Recording, Watch, fit, least_steps, steps_for
from ...cache_core.calibrate.recording import relative_l2
from ...cache_core.plan import MIN_STEPS, MOST_STEPS
from ...cache_core.saved_plan.saved_plan import Origin, SavedPlan, model_plan
from ...cache_core.settings.saved import ComputedSettings, FixedSettings, SavedPlanSettings
from . import plan_folder, sampling
from .guidance import guidance
from .session import Session
from .weights import fingerprint

if TYPE_CHECKING:
    from ...cache_core.settings import Settings

log = logging.getLogger("feb_ab_cache")
# of a plan, on the picture that it was made from; on others it is further off, and may be worse than the widgets
MOST_DRIFT = 0.1
SETTINGS_CHANGE = (
    "no plan is learned now, the widgets count: the last plans were never used, because size, guidance or other "
    "settings changed with each picture. One is learned as soon as the same settings come twice"
)


Again = Callable[["Settings", "Watch | None"], object]  # samples once more with these settings, watched


class LearningError(Exception):
    """No plan could be made. The picture is there all the same."""


@dataclass(frozen=True)
class Lesson:
    """A plan to be learned, and what of the guider the unseen runs need as the first one found it. `widgets`: what
    the plan would replace."""

    name: str
    speedup: float
    key: str
    origin: Origin
    recorder: Recorder
    signal: tuple[float, ...]  # see calibrate.Bench
    conds: dict
    sigmas: object  # a copy: some samplers write into theirs
    widgets: Settings
    mask: object = None  # see Session.begin

    def session(self, guider) -> Session:
        """The recorded run."""
        return Session.begin(
            (ComputedSettings(f"{self.name}, recording"),), guider, self.sigmas, self.recorder, self.mask
        )

    def learn(self, session: Session, samples, again: Again) -> None:
        """Make the plan and keep it. Raises LearningError if nothing came of it."""
        if session.trace.foreign:
            raise LearningError("the sampler adds to the state what is not of the model, such as new noise")
        recording = self.recorder.recording()
        if recording is None:
            raise LearningError("the sampler does not call the model just once or more at each step")
        widgets = relative_l2(again(replace(self.widgets, learn=False), None), samples)
        plan = self._better(recording, samples, again, min(MOST_DRIFT, widgets))
        plan_folder.keep(self.key, plan)
        learned = (
            f"a plan was learned: from the next run on the model runs at {len(plan.table.computed(*OUTPUT))} of "
            f"{len(plan.table.rows)} steps; "
            f"on this picture it drifts by {plan.drift:.4f}, the widgets by {widgets:.4f} (relative L2)"
        )
        session.run.note(learned)
        log.info("%s: %s", self.name, learned)

    def _better(self, recording: Recording, samples, again: Again, least: float) -> SavedPlan:
        """The plan that computes as little as the preset says, or, where its drift is above `least`, one that
        computes as much as the widgets. Raises LearningError where that is no better either."""
        steps = len(recording.nodes)
        by_widgets = self.widgets.plan(self.recorder.timeline).schedule.table(self.recorder.timeline).computed(*OUTPUT)
        drifts = []
        for count in sorted(
            {computed_steps(steps, self.speedup), max(computed_steps(steps, self.speedup), len(by_widgets))}
        ):
            plan = self._plan(recording, count, samples, again)
            if plan.drift <= least:
                return plan
            drifts.append(f"{plan.drift:.4f} with {count} of {steps} steps computed")
        raise LearningError(
            f"with a plan this picture would drift by {', by '.join(drifts)} (relative L2); {least:.4f} is allowed"
        )

    def _plan(self, recording: Recording, count: int, samples, again: Again) -> SavedPlan:
        from comfy.model_management import throw_exception_if_processing_interrupted as tick

        steps = steps_for([recording], count, self.signal, tick)

        def sample(plan: Plan, tracker: Watch):
            return again(FixedSettings(replace(plan, name=f"{self.name}, fitting")), tracker)

        fits, final = fit(sample, [recording], OUTPUT, steps)
        drift = relative_l2(final, samples)
        return model_plan(steps, self.recorder.timeline.sigmas, self.origin, fits, drift)


def computed_steps(steps: int, speedup: float) -> int:
    """Computed steps of a learned plan for `steps` steps."""
    return max(least_steps(steps, fits=True), round(steps / speedup))


def learnable(steps: int, sampler: str) -> bool:
    """Whether a plan can be learned from a sampling of `steps` steps, as far as that is known before it."""
    return MIN_STEPS <= steps <= MOST_STEPS and not sampling.noisy_name(sampler)


def hindrance(sampler: str, key: str) -> str:
    """The reason why the widgets count although a plan could be learned; empty where one can, and where nothing is
    cached anyway."""
    if sampling.noisy_name(sampler):
        return f"no plan is learned with {sampler}, which adds new noise: the widgets count"
    reason = plan_folder.why_unlearnable(key)
    return reason and f"no plan is learned for this sampling, the widgets count: {reason}"


def settle(
    settings: tuple[Settings, ...], guider, sampler, sigmas, noise, mask=None
) -> tuple[tuple[Settings, ...], Lesson | None, str]:
    """The settings with what was learned before put in their place, or, where something is to be learned now, the
    lesson; and a note."""
    guided = guidance(guider, sampler, mask is not None)
    settings = tuple(replace(s, guidance=guided) if isinstance(s, SavedPlanSettings) else s for s in settings)
    learner = next((s for s in settings if s.learns), None)
    if learner is None:
        return settings, None, ""
    patcher, name = guider.model_patcher, sampling.sampler_name(sampler)
    model_sampling = patcher.get_model_object("model_sampling")
    timeline = sampling.timeline(model_sampling, sigmas)
    origin = Origin(
        type(patcher.model.diffusion_model).__name__,
        fingerprint(patcher),
        name,
        plan_folder.cells_of(noise.shape),
        1,
        str(date.today()),
        guided,
    )
    key = plan_folder.key_of(origin, timeline.sigmas, learner.learns)
    note = hindrance(name, key)
    if note or timeline.rises or not learnable(timeline.steps, name):
        return settings, None, note
    known = plan_folder.learned(key)
    if known is not None:
        plan_folder.used(key, origin)
        plan = SavedPlanSettings(f"{learner.name}, learned", known, learned=True, guidance=guided)
        return tuple(plan if s is learner else s for s in settings), None, ""
    if not plan_folder.worth_learning(key, origin):
        return settings, None, SETTINGS_CHANGE
    recorder = Recorder(timeline, sampling.displacement(model_sampling, timeline.sigmas))
    conds = {name: [dict(cond) for cond in found] for name, found in guider.conds.items()}
    return (
        settings,
        Lesson(
            learner.name,
            learner.learns,
            key,
            origin,
            recorder,
            sampling.signal(model_sampling, timeline),
            conds,
            sigmas.clone(),
            learner,
            mask,
        ),
        "",
    )

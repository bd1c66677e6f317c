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
from ...cache_core.settings import ABSettings, Settings
from ...cache_core.settings.saved import ComputedSettings, FixedSettings, SavedPlanSettings
from . import plan_folder, sampling
from .guidance import guidance
from .session import Session
from .weights import fingerprint

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger("feb_ab_cache")
MOST_DRIFT = 0.1  # of a plan on its own picture; on others it is further off, and may be worse than the widgets
SETTINGS_CHANGE = (
    "no plan is learned now, the widgets count: the last plans were never used, because size, guidance or other "
    "settings changed with each picture. One is learned as soon as the same settings come twice"
)

Again = Callable[[Settings, "Watch | None"], "Tensor"]  # samples once more with these settings, watched


class LearningError(Exception):
    """No plan could be made. The picture is there all the same."""


@dataclass(frozen=True)
class Lesson:
    """A plan to be learned, and the parts of the guider, as they were at first, that further runs need.

    `widgets`: the settings that the plan would replace. `signal`: as in calibrate.Bench. `sigmas`: a copy, because some
    samplers write into theirs. `mask`: as in Session.begin.
    """

    key: str
    origin: Origin
    recorder: Recorder
    signal: tuple[float, ...]
    conds: dict
    sigmas: Tensor
    widgets: ABSettings
    mask: Tensor | None = None

    def session(self, guider) -> Session | None:
        """The session of the recorded run."""
        settings = (ComputedSettings(f"{self.widgets.name}, recording"),)
        return Session.begin(settings, guider, self.sigmas, self.recorder, self.mask)

    def learn(self, session: Session, samples: Tensor, again: Again) -> None:
        """Make the plan and keep it. Raises LearningError if none is better than the widgets."""
        if session.trace.foreign:
            raise LearningError("the sampler adds to the state what is not of the model, such as new noise")
        recording = self.recorder.recording()
        if recording is None:
            raise LearningError("the sampler leaves steps out, or calls the model between two steps")
        widgets = relative_l2(again(replace(self.widgets, learn=False), None), samples)
        plan, drift = self._better(recording, samples, again, min(MOST_DRIFT, widgets))
        plan_folder.keep(self.key, plan)
        learned = (
            f"a plan was learned: from the next run on the model runs at {len(plan.table.computed(*OUTPUT))} of "
            f"{len(plan.table.rows)} steps; on this picture it drifts by {drift:.4f}, the widgets by {widgets:.4f} "
            "(relative L2)"
        )
        session.run.note(learned)
        log.info("%s: %s", self.widgets.name, learned)

    def _better(self, recording: Recording, samples: Tensor, again: Again, most: float) -> tuple[SavedPlan, float]:
        """A plan that drifts by at most `most`, and its drift: with as few steps as the preset says, else with as many
        as the widgets compute. Raises LearningError where neither is so near."""
        steps, timeline = len(recording.nodes), self.recorder.timeline
        by_widgets = self.widgets.plan(timeline).schedule.table(timeline).computed(*OUTPUT)
        least, drifts = computed_steps(steps, self.widgets.learns), []
        for count in dict.fromkeys((least, max(least, len(by_widgets)))):
            plan, drift = self._plan(recording, count, samples, again)
            if drift <= most:
                return plan, drift
            drifts.append(f"{drift:.4f} with {count} of {steps} steps computed")
        raise LearningError(
            f"with a plan this picture would drift by {', by '.join(drifts)} (relative L2); {most:.4f} is allowed"
        )

    def _plan(self, recording: Recording, count: int, samples: Tensor, again: Again) -> tuple[SavedPlan, float]:
        """The plan that computes `count` steps, and its drift on the recorded picture."""
        from comfy.model_management import throw_exception_if_processing_interrupted as tick

        def sample(plan: Plan, tracker: Watch) -> Tensor:
            return again(FixedSettings(replace(plan, name=f"{self.widgets.name}, fitting")), tracker)

        steps = steps_for([recording], count, self.signal, tick)
        fits, final = fit(sample, [recording], OUTPUT, steps)
        drift = relative_l2(final, samples)
        return model_plan(steps, self.recorder.timeline.sigmas, self.origin, fits, drift), drift


def computed_steps(steps: int, speedup: float) -> int:
    """Computed steps of a learned plan for `steps` steps."""
    return max(least_steps(steps, fits=True), round(steps / speedup))


def learnable(steps: int, sampler: str) -> bool:
    """True if a plan can be learned from a sampling of `steps` steps, as far as that is known before it."""
    return MIN_STEPS <= steps <= MOST_STEPS and not sampling.noisy_name(sampler)


def hindrance(sampler: str, key: str) -> str:
    """The reason why no plan is learned for this key; empty where one can be, and where nothing is cached anyway."""
    if sampling.noisy_name(sampler):
        return f"no plan is learned with {sampler}, which adds new noise: the widgets count"
    reason = plan_folder.why_unlearnable(key)
    return reason and f"no plan is learned for this sampling, the widgets count: {reason}"


def settle(
    settings: tuple[Settings, ...], guider, sampler, sigmas, noise, mask=None
) -> tuple[tuple[Settings, ...], Lesson | None, str]:
    """The settings, with a learned plan in place of those that it was learned for; or a lesson, where one is to be
    learned now; and a note."""
    guided = guidance(guider, sampler, mask is not None)
    settings = tuple(replace(s, guidance=guided) if isinstance(s, SavedPlanSettings) else s for s in settings)
    learner = next((s for s in settings if isinstance(s, ABSettings) and s.learns), None)
    if learner is None:
        return settings, None, ""
    patcher, name = guider.model_patcher, sampling.sampler_name(sampler)
    model_sampling = patcher.get_model_object("model_sampling")
    timeline = sampling.timeline(model_sampling, sigmas)
    model, cells = type(patcher.model.diffusion_model).__name__, plan_folder.cells_of(noise.shape)
    origin = Origin(model, fingerprint(patcher), name, cells, 1, str(date.today()), guided)
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
    signal = sampling.signal(model_sampling, timeline)
    return settings, Lesson(key, origin, recorder, signal, conds, sigmas.clone(), learner, mask), ""

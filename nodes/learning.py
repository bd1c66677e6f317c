"""The first sampling with a preset is computed in full and recorded; from it a plan is made for all that follow."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ..cache_core import OUTPUT, Plan, Predictor, Run, Steps
from ..cache_core.cache_plan import CachePlan, Origin, model_plan
from ..cache_core.calibrate import Recorder, Recording, Tracker, growth, steps_from
from ..cache_core.calibrate.ab import FEWEST
from ..cache_core.guard import Listener
from ..cache_core.plan import MIN_STEPS
from ..cache_core.settings.planned import ComputedSettings, FixedSettings, PlannedSettings
from . import library, sampling
from .session import Session
from .weights import fingerprint

if TYPE_CHECKING:
    from .attach import Settings

log = logging.getLogger("feb_ab_cache")
MOST_DRIFT = 0.25  # of a plan, on the picture that it was made from


class LearningError(Exception):
    """No plan could be made. The picture is there all the same."""


@dataclass(frozen=True)
class Lesson:
    """What is to be learned, and what of the guider the second run needs as the first one found it."""

    name: str
    speedup: float
    key: str
    origin: Origin
    recorder: Recorder
    signal: tuple[float, ...]  # see calibrate.Bench
    conds: dict
    sigmas: object  # a copy: some samplers write into theirs

    def session(self, guider, sampler) -> Session:
        """The recorded run."""
        return Session.begin((ComputedSettings(f"{self.name}, recording"),), guider, sampler, self.sigmas, self.recorder)

    def learn(self, run: Run, samples, again: Callable[[Settings, Tracker], object]) -> None:
        """Make the plan and keep it. `again` samples once more with these settings, watched. Raises LearningError if nothing came of it."""
        recording = self.recorder.recording()
        if recording is None:
            raise LearningError("the sampler does not call the model just once or more at each step")
        plan = self._plan(recording, samples, again)
        if not plan.drift <= MOST_DRIFT:
            raise LearningError(f"the picture would drift by {plan.drift:.2f} (relative L2)")
        library.keep(self.key, plan)
        learned = (f"a plan was learned: from the next run on the model runs at {len(plan.table.computed(*OUTPUT))} of {len(plan.table.rows)} steps; "
                   f"on this picture it drifts by {plan.drift:.4f} (relative L2)")
        run.note(learned)
        log.info("%s: %s", self.name, learned)

    def _plan(self, recording: Recording, samples, again: Callable[[Settings, Tracker], object]) -> CachePlan:
        steps = steps_from([recording], computed_steps(len(recording.nodes), self.speedup), growth(self.signal))
        tracker, listener = Tracker(recording, steps), Listener()
        tracked = again(FixedSettings(Plan(Steps(OUTPUT, steps), Predictor(2), name=f"{self.name}, fitting", guard=listener)), tracker)
        drift = float((tracked.float() - samples.float()).norm() / samples.float().norm())
        return model_plan(steps, self.recorder.timeline.sigmas, self.origin, tuple(tracker.fits.values()), drift, listener.expected())


def learnable(steps: int, sampler: str) -> bool:
    """Whether a plan can be learned from a sampling."""
    return steps >= MIN_STEPS and not sampling.adds_noise(sampler)


def computed_steps(steps: int, speedup: float) -> int:
    """How many of `steps` steps a learned plan computes."""
    return max(FEWEST, round(steps / speedup))


def settle(settings: tuple[Settings, ...], guider, sampler, sigmas, noise) -> tuple[tuple[Settings, ...], Lesson | None]:
    """The settings with what was learned before put in their place, or, where something is to be learned now, the lesson."""
    learner = next((s for s in settings if s.learns), None)
    name = sampling.sampler_name(sampler)
    if learner is None or not learnable(len(sigmas) - 1, name):
        return settings, None
    patcher = guider.model_patcher
    model_sampling = patcher.get_model_object("model_sampling")
    timeline = sampling.timeline(model_sampling, sigmas)
    origin = Origin(type(patcher.model.diffusion_model).__name__, fingerprint(patcher), name, library.cells_of(noise.shape), 1, str(date.today()))
    key = library.key_of(origin, timeline.sigmas, learner.learns)
    if key in library.unlearnable:
        return settings, None
    known = library.learned(key)
    if known is not None:
        return tuple(PlannedSettings(f"{s.name}, learned", known, guard=s.guard, learned=True) if s is learner else s for s in settings), None
    recorder = Recorder(timeline, sampling.displacement(model_sampling, timeline.sigmas))
    conds = {name: [dict(cond) for cond in found] for name, found in guider.conds.items()}
    return settings, Lesson(learner.name, learner.learns, key, origin, recorder, sampling.signal(model_sampling, timeline), conds, sigmas.clone())

"""The first sampling with a method whose curves are learned is computed in full and recorded; its profile is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ...cache_core import OUTPUT, ConfigError, Timeline
from ...cache_core.calibrate import Recorder, SiteRecorder
from ...cache_core.methods import Displaced, Profile
from ...cache_core.methods.profile_file import load_profile, profile_name, save_profile
from ...cache_core.plan import MIN_STEPS
from ...cache_core.settings import Settings
from ...cache_core.settings.method import MethodSettings
from ...cache_core.settings.saved import ComputedSettings
from . import learning, plan_folder, sampling
from .guidance import guidance
from .learning import Settled
from .session import Session
from .taught import LearningError, Taught

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("feb_ab_cache")
_unsaved: dict[str, Profile] = {}  # that the disk did not take, until ComfyUI ends


def _file(key: str) -> Path:
    return plan_folder.folder() / profile_name(key)


def known(key: str, timeline: Timeline) -> Profile | None:
    """The profile that was recorded under this key, of the sampling `timeline`; None where there is none that can be
    read, or its file is of another sampling."""
    try:
        profile = load_profile(_file(key))
        profile.check_of(timeline)
        return profile
    except FileNotFoundError:
        return _unsaved.get(key)
    except (OSError, ConfigError) as error:
        log.warning("%s cannot be read (%s). A picture is recorded anew.", _file(key).name, error)
        return None


def keep(key: str, profile: Profile) -> None:
    """Save a profile; where the disk does not take it, it holds until ComfyUI ends."""
    try:
        save_profile(profile, _file(key))
    except OSError as error:
        _unsaved[key] = profile
        log.warning("The profile could not be saved (%s); it is kept until ComfyUI ends.", error)


@dataclass(frozen=True)
class ProfileLesson(Taught):
    """A profile to be recorded; one picture tells all."""

    learner: MethodSettings
    failure: ClassVar[str] = "no curves were recorded, and every step is computed from the next run on, too"

    def session(self, guider) -> Session:
        """The session of the recorded run, which knows the method."""
        session = Session.begin((self._settings(),), guider, self.recorder.timeline, self.recorder, self.mask)
        session.method = self.learner
        return session

    def _settings(self) -> Settings:
        """The settings of the recorded run: nothing is cached, and for some methods parts are tried."""
        if self.learner.of.tries:
            return self.learner
        return ComputedSettings(f"{self.learner.name}, recording")

    def _displaced(self) -> Displaced | None:
        """The displacements of the tried parts, where any were. Raises LearningError where none could be reused."""
        if not isinstance(self.recorder, SiteRecorder):
            return None
        if (found := self.recorder.displaced()) is None:
            raise LearningError("attention and MLP could not be reused here")
        return Displaced(**found)

    def learn(self, session: Session, samples: object, again: Callable[..., object]) -> None:
        """Keep the profile. Raises LearningError where the sampling tells nothing."""
        recording = self.recorder.recording()
        if session.trace.foreign or recording is None:
            raise LearningError("the sampler adds noise, leaves steps out, or calls the model between two steps")
        keep(self.key, replace(Profile.of(recording), displaced=self._displaced()))
        session.run.note(f"curves were recorded: from the next run on {self.learner.method} goes by them")


def settle(settings, guider, sampler, sigmas, timeline, noise, mask=None) -> Settled:
    """The settings that count for the sampling at hand: methods with the profile of it, or a lesson for one."""
    methods = [s for s in settings if isinstance(s, MethodSettings) and s.records]
    if not methods:
        return learning.settle(settings, guider, sampler, sigmas, timeline, noise, mask)
    name, guided = sampling.sampler_name(sampler), guidance(guider, sampler, mask is not None)
    origin = learning.origin_of(guider.model_patcher, name, noise.shape, guided)
    key = plan_folder.key_of(origin, timeline.sigmas, 0.0, OUTPUT, len(timeline.modalities))
    if (profile := known(key, timeline)) and all(s.served(profile) for s in methods):
        settings = tuple(replace(s, profile=profile) if s in methods else s for s in settings)
        found = learning.settle(settings, guider, sampler, sigmas, timeline, noise, mask)
        return found._replace(origin=found.origin or origin)
    if reason := _hindrance(name, key, timeline):
        return Settled(settings, note=f"no curves are recorded of this sampling, and every step is computed: {reason}")
    conds = {name: [dict(cond) for cond in found] for name, found in guider.conds.items()}
    learner = next((s for s in methods if s.of.tries), methods[0])
    recorder = SiteRecorder(timeline) if learner.of.tries else Recorder(timeline, branches=True)
    lesson = ProfileLesson(key, origin, recorder, conds, sigmas.clone(), learner, mask)
    return Settled(settings, lesson, origin=origin)


def _hindrance(sampler: str, key: str, timeline: Timeline) -> str:
    """The reason why no curves are recorded under this key; empty where they can be."""
    if sampling.noisy_name(sampler):
        return f"{sampler} adds new noise. Set curves to 'as released', or take another sampler"
    if timeline.rises or not learning.learnable(timeline.steps, sampler):
        return f"it takes {MIN_STEPS} steps or more, of falling sigmas"
    return plan_folder.why_unlearnable(key)

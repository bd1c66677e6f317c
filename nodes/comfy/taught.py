"""The base of all that is learned from a sampling: a plan (learning.Lesson), a profile (profiling.ProfileLesson)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...cache_core.calibrate import Recorder
from ...cache_core.saved_plan.saved_plan import Origin
from ...cache_core.settings import Settings
from ...cache_core.settings.saved import ComputedSettings
from .session import Session

if TYPE_CHECKING:
    from torch import Tensor

Again = Callable[..., "Tensor"]  # samples once more: takes settings, a watch or None, and another noise or None


class LearningError(Exception):
    """No plan could be made. The picture is there all the same."""


@dataclass(frozen=True)
class Taught:
    """Something to be learned from a sampling, and the parts of the guider, as they were at first, that further runs
    need: a plan (Lesson), or a profile (profiling.ProfileLesson).

    `learner`: the settings that it is for. `sigmas`: a copy, because some samplers write into theirs. `mask`: as in
    Session.begin. `unseen_steps`: of the samplings that follow the recorded one. `failure`: a note for where nothing
    was learned, but for the reason.
    """

    key: str
    origin: Origin
    recorder: Recorder
    conds: dict
    sigmas: Tensor
    learner: Settings
    mask: Tensor | None = None
    unseen_steps: ClassVar[int] = 0
    failure: ClassVar[str] = "no plan was learned, the widgets count from the next run on"

    def session(self, guider) -> Session:
        """The session of the recorded run."""
        settings = (ComputedSettings(f"{self.learner.name}, recording"),)
        return Session.begin(settings, guider, self.recorder.timeline, self.recorder, self.mask)

    def learn(self, session: Session, samples: Tensor, again: Again) -> None:
        """Keep what was learned. Raises LearningError where nothing can be."""
        raise NotImplementedError

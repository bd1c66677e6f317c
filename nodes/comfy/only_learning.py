"""Samplings of a script that wants plans and no pictures, such as scripts/learn.py."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...cache_core.settings.saved import SavedPlanSettings
from . import plan_folder

if TYPE_CHECKING:
    from .session import Session

KNOWN, WANTED, NONE = "known", "would be learned", "nothing to learn"
MOST_PICTURES = 64  # recordings take up to 134 MB each


@dataclass(frozen=True)
class Outcome:
    """The outcome of one sampling. `result`: known, would be learned, nothing to learn, or an outcome of unseen.py.
    `steps`: of the sampling."""

    key: str
    result: str
    reason: str = ""
    steps: int = 0


@dataclass
class Wish:
    """The plan that a script wants: of the samplings in the node `sampler`, from so many `pictures`.

    `dry`: nothing is sampled, only the key is found out. `known`: keys that nothing is learned for, with the reason
    where none can be learned, beside those in the folder. `outcomes`: of the samplings so far.
    """

    sampler: str
    pictures: int = 1
    dry: bool = False
    known: Mapping[str, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def here(self) -> bool:
        """True in the wanted sampler; others only make its input, and sample as without a cache."""
        from comfy_execution.utils import get_executing_context

        context = get_executing_context()
        return context is None or context.node_id == self.sampler

    def unsampled(self, settled, steps: int) -> bool:
        """True if nothing is sampled: there is a plan, none can be learned, or nothing but the key was wanted.

        `settled`: the settings of the sampling (learning.Settled).
        """
        key, note = settled.key, settled.note
        if any(isinstance(own, SavedPlanSettings) and own.learned for own in settled.settings):
            found = KNOWN, ""
        elif key in self.known:
            found = (NONE, self.known[key]) if self.known[key] else (KNOWN, "")
        elif settled.lesson is None:
            found = NONE, note or "no plan can be learned for so few steps, or for such a sampler"
        elif self.dry:
            found = WANTED, ""
        else:
            return False
        self.outcomes.append(Outcome(key, *found, steps))
        return True

    def extended(self, lesson, noise, latent_image, seed: int | None):
        """The lesson with the noises of further pictures."""
        from comfy.sample import prepare_noise

        # a profile takes one picture, and a sampler that goes on with another's state adds no noise
        if self.pictures < 2 or not hasattr(lesson, "noises") or not noise.any():
            return lesson
        further = tuple(
            prepare_noise(latent_image, (seed or 0) + number).to(noise) for number in range(1, self.pictures)
        )
        return replace(lesson, noises=further, origin=replace(lesson.origin, samples=1 + len(further)))

    def took(self, key: str, session: Session) -> None:
        """Note what came of a lesson."""
        reason = session.run.demotions[-1] if session.remembers else plan_folder.why_unlearnable(key)
        self.outcomes.append(Outcome(key, session.lesson or NONE, reason, session.run.timeline.steps))


_wish: ContextVar[Wish | None] = ContextVar("feb_ab_cache_wish", default=None)


def wish() -> Wish | None:
    """The wish of the script that samples; None where somebody wants pictures."""
    return _wish.get()


def want(wanted: Wish | None) -> None:
    """Let the samplings of this thread that follow serve `wanted`."""
    _wish.set(wanted)

"""Samplings that the user does not see: they make a plan of the first picture."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from . import plan_folder
from .learning import LearningError, Lesson
from .session import Session
from .sessions import Sessions

log = logging.getLogger("feb_ab_cache")


def again(sessions: Sessions, lesson: Lesson, guider, sample: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function of settings and a watch that samples once more as the lesson did. `sample`: takes the sigmas."""

    def sampled(settings, watch):
        guider.conds = {name: [dict(cond) for cond in conds] for name, conds in lesson.conds.items()}
        session = Session.begin((settings,), guider, lesson.recorder.timeline, watch, lesson.mask)
        with sessions.opened(session, guider), kept_randomness(guider.model_patcher):
            return sample(lesson.sigmas.clone())

    return sampled


def learn(lesson: Lesson, session: Session, samples, sampled: Callable[..., Any]) -> None:
    """Make the lesson's plan for the next run. Only a cancel may cost the picture in `samples`: any other error becomes
    a note."""
    from comfy.model_management import InterruptProcessingException

    session.run.end()
    try:
        lesson.learn(session, samples, sampled)
    except InterruptProcessingException:
        raise
    except Exception as error:
        lasting, reason = isinstance(error, LearningError), str(error) or type(error).__name__
        plan_folder.give_up(lesson.key, reason, lasting)
        note = f"no plan was learned, the widgets count from the next run on: {reason}"
        log.warning("%s: %s", lesson.learner.name, note, exc_info=None if lasting else error)
        session.run.note(note)
    session.learned = plan_folder.learned(lesson.key)


def quiet(callback=None, disable_pbar=False, *rest, **named) -> tuple[tuple, dict]:
    """The last arguments of a sampling, with neither callback nor progress bar: those by position, those by name."""
    return (None, True, *rest), named


@contextmanager
def kept_randomness(patcher) -> Iterator[None]:
    """The context of samplings that leave torch's random state as it was: guidance that draws from it must not differ
    after a lesson."""
    import torch

    device = patcher.load_device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield

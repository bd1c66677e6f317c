"""Samplings that the user does not see: they make a plan of the first picture."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ...cache_core import Run, RunReport
from ...cache_core.show.timeline import prices
from . import plan_folder
from .mailbox import Display, Mailbox
from .session import Session
from .sessions import Sessions
from .taught import LearningError, Taught

log = logging.getLogger("feb_ab_cache")
LEARNED, FAILED = "learned", "failed"  # outcomes of learning


class Study:
    """A display of the unseen samplings that follow the one of `session`: as one progress, on `displays` and on
    ComfyUI's own bar, which shows no preview for it and so keeps the last one. `steps`: planned. More are counted once
    they turn out to be needed: a fit is always followed by a comparison."""

    def __init__(self, session: Session, displays: tuple[Display, ...], steps: int):
        from comfy.utils import ProgressBar

        self.session, self.displays, self.steps = session, displays, steps
        self.before, self.bar = 0, ProgressBar(steps)
        self._show(0)

    def next(self, samplings: int) -> None:
        """So many samplings are needed from here on, at least."""
        self.steps = max(self.steps, self.before + samplings * self.session.run.timeline.steps)

    def began(self, run: Run) -> None:
        """Nothing to show yet."""

    def advanced(self, run: Run) -> None:
        """Show the step that is done."""
        self._show(self.before + run.evaluation.step + 1)

    def learning(self, run: Run, done: int, steps: int) -> None:
        """Nothing is learned from these."""

    def ended(self, session: Session, report: RunReport) -> None:
        """Keep the price of evaluations: the next picture's are as dear."""
        self.before += session.run.timeline.steps
        self.session.prices = prices(report.rows)

    def _show(self, done: int) -> None:
        self.bar.update_absolute(done, self.steps)
        for display in self.displays:
            display.learning(self.session.run, done, self.steps)


def again(sessions: Sessions, lesson: Taught, guider, sample: Callable[..., Any], study: Study) -> Callable[..., Any]:
    """A function of settings and a watch that samples once more as the lesson did, or from another noise. `sample`:
    takes the sigmas."""

    def sampled(settings, watch, noise=None):
        study.next(1 if watch is None else 2)
        guider.conds = {name: [dict(cond) for cond in conds] for name, conds in lesson.conds.items()}
        session = Session.begin((settings,), guider, lesson.recorder.timeline, watch, lesson.mask)
        with sessions.opened(session, guider, (Mailbox(study),)), kept_randomness(guider.model_patcher):
            return sample(lesson.sigmas.clone(), **({} if noise is None else {"noise": noise}))

    return sampled


def learn(lesson: Taught, session: Session, samples, sampled: Callable[..., Any]) -> None:
    """Make the lesson's plan for the next run. Only a cancel may cost the picture in `samples`: any other error becomes
    a note."""
    from comfy.model_management import InterruptProcessingException

    session.run.end()
    try:
        lesson.learn(session, samples, sampled)
        session.lesson = LEARNED
    except InterruptProcessingException:
        raise
    except Exception as error:
        session.lesson = FAILED
        lasting, reason = isinstance(error, LearningError), str(error) or type(error).__name__
        plan_folder.give_up(lesson.key, reason, lasting)
        note = f"{lesson.failure}: {reason}"
        log.warning("%s: %s", lesson.learner.name, note, exc_info=None if lasting else error)
        session.run.note(note)


def quiet(callback=None, disable_pbar=False, *rest, **named) -> tuple[tuple, dict]:
    """The last arguments of a sampling, with neither callback nor progress bar: those by position, those by name."""
    return (None, True, *rest), named


def seed_of(callback=None, disable_pbar=False, seed=None, *rest, **named) -> int | None:
    """The seed among the last arguments of a sampling."""
    return seed


@contextmanager
def kept_randomness(patcher) -> Iterator[None]:
    """The context of samplings that leave torch's random state as it was: guidance that draws from it must not differ
    after a lesson."""
    import torch

    device = patcher.load_device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield

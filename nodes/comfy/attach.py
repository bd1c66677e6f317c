"""Put a cache on a clone of a model, through ComfyUI's own keyed wrappers."""

from __future__ import annotations

import logging
import weakref
from contextlib import contextmanager
from threading import get_ident
from typing import Protocol

from ...cache_core import ConfigError, Plan, Timeline
from ...cache_core.calibrate import Watch
from ...cache_core.hosts import match
from ...cache_core.plan import check_together
from ...cache_core.settings.saved import ComputedSettings, FixedSettings
from ...cache_core.show.run_chart import drawn_of
from . import plan_folder
from .controlnet import overheard, waiting
from .learning import LearningError, Lesson, settle
from .mailbox import Mailbox
from .memory import without_guest
from .rivals import refuse_rivals
from .session import Session

log = logging.getLogger("feb_ab_cache")

KEY = "feb_ab_cache"


class Settings(Protocol):
    """What an Apply node was told: checked, frozen, and turned into a plan once the sampling is known."""

    memory: float
    learns: float  # speed-up of the plan that is to be learned; 0 = none

    def plan(self, timeline: Timeline) -> Plan: ...


class Attachment:
    """What an Apply node leaves on its clone: settings and mailboxes, and, only while sampling, its sessions."""

    def __init__(self, settings: tuple[Settings, ...], mailboxes: tuple[Mailbox, ...] = (), watch: Watch | None = None):
        self.settings, self.mailboxes, self.watch = settings, mailboxes, watch
        self.sessions: list[
            Session
        ] = []  # several, because a sampling may run inside another one, or in another thread

    def __deepcopy__(self, memo: dict) -> Attachment:
        return self  # ComfyUI deep-copies model options; a copy would split the wrappers from their sessions

    def outer_sample(self, executor, *args, **kwargs):
        """One sampling: a session for its length, and its report in the mailboxes, whatever happens. The first one
        may be learned from."""
        guider, (noise, _, sampler, sigmas), mask = executor.class_obj, args[:4], _mask(args, kwargs)
        refuse_rivals(guider.model_patcher, guider.model_options, sampler)  # one may have come behind this node
        settings, lesson, note = settle(self.settings, guider, sampler, sigmas, noise, mask)
        session = lesson.session(guider) if lesson else Session.begin(settings, guider, sigmas, self.watch, mask)
        if session is None:
            return executor(*args, **kwargs)
        if note:
            session.run.note(note)
        with self._open(session, guider, self.mailboxes):
            samples = executor(*args, **kwargs)
            if self.watch:
                _check_calibrated(session)
            if lesson and not session.remembers:
                session.run.end()
                self._learn(lesson, session, samples, executor, args, kwargs)
                session.learned = plan_folder.learned(lesson.key)
        return samples

    def _session(self, options: dict | None) -> Session | None:
        """The session that a call with these transformer options belongs to: the one they name, or else the last one
        of this thread. A thread that samples nothing is a device's, of the only thread that does; where there are
        several, nobody knows: None."""
        if not self.sessions:
            return None
        named = (options or {}).get(KEY, lambda: None)()
        if named in self.sessions:
            return named
        own = [session for session in self.sessions if session.thread == get_ident()]
        if own or len({session.thread for session in self.sessions}) == 1:
            return (own or self.sessions)[-1]
        for session in self.sessions:
            session.run.demote(
                "several samplings call the model from other threads, and a call did not say whose it is: it is "
                "computed"
            )
        return None

    @contextmanager
    def _open(self, session: Session, guider, mailboxes: tuple[Mailbox, ...] = ()):
        watched = [mailbox.progress for mailbox in mailboxes if mailbox.progress]
        session.watched_by(watched)
        self.sessions.append(session)
        finished = False
        try:
            with marked(session, guider), session.unrecorded():
                yield
            finished = True
        finally:
            self.sessions.remove(session)
            report = session.end(finished)
            for mailbox in mailboxes:
                mailbox.deliver(report, drawn_of(session.run, report, session.followed))
            for progress in watched:
                progress.ended(session, report)

    def _learn(self, lesson: Lesson, session: Session, samples, executor, args: tuple, kwargs: dict) -> None:
        """Sample once more, unseen, to fit the plan. Only a cancel may cost the picture that is there."""
        from comfy.model_management import InterruptProcessingException

        guider, (noise, latent, sampler, _, *rest) = executor.class_obj, args
        rest[1:3] = [None, True][: len(rest[1:3])]  # no callback and no progress bar
        unseen = {name: {"callback": None, "disable_pbar": True}.get(name, value) for name, value in kwargs.items()}

        def again(settings: Settings, watch: Watch | None):
            guider.conds = {name: [dict(cond) for cond in found] for name, found in lesson.conds.items()}
            session = Session.begin((settings,), guider, lesson.sigmas, watch, lesson.mask)
            with self._open(session, guider), kept_randomness(guider.model_patcher):
                return executor(noise, latent, sampler, lesson.sigmas.clone(), *rest, **unseen)

        try:
            lesson.learn(session, samples, again)
        except InterruptProcessingException:
            raise
        except Exception as error:
            found = isinstance(error, LearningError)
            plan_folder.give_up(lesson.key, str(error) or type(error).__name__, lasting=found)
            reason = f"no plan was learned, the widgets count from the next run on: {error or type(error).__name__}"
            log.warning("%s: %s", lesson.name, reason, exc_info=None if found else error)
            session.run.note(reason)

    def prepare_sampling(self, executor, model, noise_shape, conds, *args, **kwargs):
        """ComfyUI makes room for a sampling, and for what it will keep."""
        session = self._session(transformer_options(args[0] if args else kwargs.get("model_options")))
        if session is None:
            return executor(model, noise_shape, conds, *args, **kwargs)
        asked = session.reserve(model, noise_shape, conds)
        base_model, conds, models = executor(model, noise_shape, asked, *args, **kwargs)
        return base_model, without_guest(conds), models

    def predict_noise(self, executor, *args, **kwargs):
        """One evaluation: one decision, whatever number of model calls it takes."""
        session = self._session(transformer_options(args[2] if len(args) > 2 else kwargs.get("model_options")))
        if session is None:
            return executor(*args, **kwargs)
        denoised = session.evaluate(executor, *args, **kwargs)
        session.tell()
        return denoised

    def calc_cond_batch(self, executor, model, conds, x, timestep, model_options, *args, **kwargs):
        """The conditionings of an evaluation, before they are batched into model calls."""
        session = self._session(transformer_options(model_options))
        if session and session.predicts_model and not overheard(model_options, KEY):
            conds = waiting(conds)
        found = executor(model, conds, x, timestep, model_options, *args, **kwargs)
        if session:
            session.parts += found
        return found

    def apply_model(self, executor, *args, **kwargs):
        """One model call of an evaluation, in the sampler's thread or in that of a device."""
        session = self._session(args[5] if len(args) > 5 else kwargs.get("transformer_options"))
        return session.call(executor, *args, **kwargs) if session else executor(*args, **kwargs)


def _check_calibrated(session: Session) -> None:
    """Raise ConfigError for a sampling that nothing can be learned from."""
    if session.remembers:
        raise ConfigError(f"{session.model_name} cannot be calibrated with this sampler: {session.run.demotions[-1]}.")
    if session.trace.foreign:
        raise ConfigError(
            "This sampler cannot be calibrated: it adds to the latent something that is not of the model, such as new "
            "noise. "
            "Set sampler to one that does not, such as euler."
        )


def transformer_options(model_options: dict | None) -> dict:
    """The part of ComfyUI's model options that reaches the model."""
    return (model_options or {}).get("transformer_options", {})


@contextmanager
def marked(session: Session, guider):
    """The context in which the guider's options, and so those of each model call in whatever thread, say whose they are."""
    options = guider.model_options.setdefault("transformer_options", {})
    outer = options.get(KEY)
    options[KEY] = weakref.ref(session)
    try:
        yield
    finally:
        options.pop(KEY)
        if outer is not None:
            options[KEY] = outer


def _mask(args: tuple, kwargs: dict):
    """The inpainting mask of a sampling, shaped like its latent; None without one. Older ComfyUI brings it into that
    shape later."""
    from comfy.sampler_helpers import prepare_mask

    noise, mask = args[0], args[4] if len(args) > 4 else kwargs.get("denoise_mask")
    return mask if mask is None or mask.shape == noise.shape else prepare_mask(mask, noise.shape, noise.device)


@contextmanager
def kept_randomness(patcher):
    """The context of samplings that leave torch's random state as it was: guidance that draws from it must not
    differ after a lesson."""
    import torch

    device = patcher.load_device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


def attach(model, settings: Settings, mailbox: Mailbox):
    """A clone of `model` (a ComfyUI ModelPatcher) with the cache on it, beside one that is there already.

    Raises ConfigError when the two cannot share a model, or when another pack's cache is on it.
    """
    from comfy.patcher_extension import WrappersMP

    refuse_rivals(model)
    present = [wrapper.__self__ for wrapper in model.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY)]
    joined = Attachment(
        (*(s for a in present for s in a.settings), settings), (*(m for a in present for m in a.mailboxes), mailbox)
    )
    check_together(tuple(s.plan(Timeline.even(50)) for s in joined.settings))
    return _wrapped(model, joined)


def watched(model, plans: tuple[Plan, ...], watch: Watch | None):
    """A clone of `model` that samples with `plans` alone, or with none, while `watch` looks on. Raises ConfigError
    if another pack's cache is on it."""
    refuse_rivals(model)
    settings = tuple(map(FixedSettings, plans)) or (ComputedSettings("calibration"),)
    return _wrapped(model, Attachment(settings, watch=watch))


def _wrapped(model, attachment: Attachment):
    """A clone of `model` with `attachment` on it, and no other one."""
    from comfy.patcher_extension import WrappersMP

    clone = model.clone()
    for kind, wrapper in (
        (WrappersMP.OUTER_SAMPLE, attachment.outer_sample),
        (WrappersMP.PREPARE_SAMPLING, attachment.prepare_sampling),
        (WrappersMP.PREDICT_NOISE, attachment.predict_noise),
        (WrappersMP.CALC_COND_BATCH, attachment.calc_cond_batch),
        (WrappersMP.APPLY_MODEL, attachment.apply_model),
    ):
        clone.remove_wrappers_with_key(kind, KEY)
        clone.add_wrapper_with_key(kind, KEY, wrapper)
    return clone


def require_blocks(model) -> None:
    """Raise HostError unless the model's attention and MLP can be cached separately."""
    match(model.get_model_object("diffusion_model"))

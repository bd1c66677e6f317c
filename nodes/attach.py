"""Put a cache on a clone of a model, through ComfyUI's own keyed wrappers."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import Protocol

from ..cache_core import ConfigError, Plan, Timeline
from ..cache_core.calibrate import Tracker, Watch
from ..cache_core.hosts import match
from ..cache_core.plan import check_together
from ..cache_core.run_chart import drawn_of
from ..cache_core.settings.planned import ComputedSettings, FixedSettings
from . import library
from .control import overheard, waiting
from .learning import LearningError, Lesson, settle
from .mailbox import Mailbox
from .memory import without_guest
from .session import Session

log = logging.getLogger("feb_ab_cache")

KEY = "feb_ab_cache"
RIVAL_WRAPPERS = {"easycache": "EasyCache", "lazycache": "LazyCache"}
RIVAL_OPTIONS = {"easycache": "EasyCache", "rel_l1_thresh": "TeaCache", "magcache_thresh": "MagCache", "teacache": "TeaCache"}
RIVAL_MODULES = {"teacache": "TeaCache", "magcache": "MagCache", "wavespeed": "WaveSpeed", "fbcache": "First Block Cache", "taylorseer": "TaylorSeer",
                 "spectrum": "Spectrum", "cachedit": "CacheDiT"}


class Settings(Protocol):
    """What an Apply node was told: checked, frozen, and turned into a plan once the sampling is known."""

    memory: float
    learns: float  # speed-up of the plan that is to be learned; 0 = none

    def plan(self, timeline: Timeline) -> Plan: ...


class Attachment:
    """What an Apply node leaves on its clone: settings and mailboxes, and, only while sampling, a stack of sessions."""

    def __init__(self, settings: tuple[Settings, ...], mailboxes: tuple[Mailbox, ...] = (), watch: Watch | None = None):
        self.settings, self.mailboxes, self.watch = settings, mailboxes, watch
        self.sessions: list[Session] = []  # a stack, because a sampling may run inside another one

    def __deepcopy__(self, memo: dict) -> Attachment:
        return self  # ComfyUI deep-copies model options; a copy would split the wrappers from their sessions

    def outer_sample(self, executor, *args, **kwargs):
        """One sampling: a session for its length, and its report in the mailboxes, whatever happens. The first one may be learned from."""
        guider, (noise, _, sampler, sigmas) = executor.class_obj, args[:4]
        refuse_rivals(guider.model_patcher)  # one may have come behind this node
        settings, lesson = settle(self.settings, guider, sampler, sigmas, noise)
        session = lesson.session(guider, sampler) if lesson else Session.begin(settings, guider, sampler, sigmas, self.watch)
        if session is None:
            return executor(*args, **kwargs)
        with self._open(session, self.mailboxes):
            samples = executor(*args, **kwargs)
            if lesson:
                session.run.end()
                self._learn(lesson, session, samples, executor, args, kwargs)
                session.learned = library.learned(lesson.key)
        return samples

    @contextmanager
    def _open(self, session: Session, mailboxes: tuple[Mailbox, ...] = ()):
        watched = [mailbox.progress for mailbox in mailboxes if mailbox.progress]
        session.watched_by(watched)
        self.sessions.append(session)
        finished = False
        try:
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

        def again(settings: Settings, tracker: Tracker):
            guider.conds = lesson.conds
            with self._open(Session.begin((settings,), guider, sampler, lesson.sigmas, tracker)):
                return executor(noise, latent, sampler, lesson.sigmas, *rest, **unseen)

        try:
            lesson.learn(session.run, samples, again)
        except InterruptProcessingException:
            raise
        except Exception as error:
            library.unlearnable.add(lesson.key)
            reason = f"no plan was learned, the widgets count from the next run on: {error or type(error).__name__}"
            log.warning("%s: %s", lesson.name, reason, exc_info=None if isinstance(error, LearningError) else error)
            session.run.note(reason)

    def prepare_sampling(self, executor, model, noise_shape, conds, *args, **kwargs):
        """ComfyUI makes room for a sampling, and for what it will keep."""
        if not self.sessions:
            return executor(model, noise_shape, conds, *args, **kwargs)
        asked = self.sessions[-1].reserve(model, noise_shape, conds)
        base_model, conds, models = executor(model, noise_shape, asked, *args, **kwargs)
        return base_model, without_guest(conds), models

    def predict_noise(self, executor, *args, **kwargs):
        """One evaluation: one decision, whatever number of model calls it takes."""
        if not self.sessions:
            return executor(*args, **kwargs)
        session = self.sessions[-1]
        denoised = session.evaluate(executor, *args, **kwargs)
        session.tell()
        return denoised

    def calc_cond_batch(self, executor, model, conds, x, timestep, model_options, *args, **kwargs):
        """The conditionings of an evaluation, before they are batched into model calls."""
        if self.sessions and self.sessions[-1].predicts_model and not overheard(model_options, KEY):
            conds = waiting(conds)
        return executor(model, conds, x, timestep, model_options, *args, **kwargs)

    def apply_model(self, executor, *args, **kwargs):
        """One model call of an evaluation."""
        return self.sessions[-1].call(executor, *args, **kwargs) if self.sessions else executor(*args, **kwargs)


def attach(model, settings: Settings, mailbox: Mailbox):
    """A clone of `model` (a ComfyUI ModelPatcher) with the cache on it, beside one that is there already.

    Raises ConfigError when the two cannot share a model, or when another pack's cache is on it.
    """
    from comfy.patcher_extension import WrappersMP

    refuse_rivals(model)
    present = [wrapper.__self__ for wrapper in model.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY)]
    joined = Attachment((*(s for a in present for s in a.settings), settings), (*(m for a in present for m in a.mailboxes), mailbox))
    check_together(tuple(s.plan(Timeline.even(50)) for s in joined.settings))
    return _wrapped(model, joined)


def watched(model, plans: tuple[Plan, ...], watch: Watch | None):
    """A clone of `model` that samples with `plans` alone, or with none, while `watch` looks on. Raises ConfigError if another pack's cache is
    on it."""
    refuse_rivals(model)
    settings = tuple(map(FixedSettings, plans)) or (ComputedSettings("calibration"),)
    return _wrapped(model, Attachment(settings, watch=watch))


def _wrapped(model, attachment: Attachment):
    """A clone of `model` with `attachment` on it, and no other one."""
    from comfy.patcher_extension import WrappersMP

    clone = model.clone()
    for kind, wrapper in ((WrappersMP.OUTER_SAMPLE, attachment.outer_sample), (WrappersMP.PREPARE_SAMPLING, attachment.prepare_sampling),
                          (WrappersMP.PREDICT_NOISE, attachment.predict_noise), (WrappersMP.CALC_COND_BATCH, attachment.calc_cond_batch),
                          (WrappersMP.APPLY_MODEL, attachment.apply_model)):
        clone.remove_wrappers_with_key(kind, KEY)
        clone.add_wrapper_with_key(kind, KEY, wrapper)
    return clone


def require_blocks(model) -> None:
    """Raise HostError unless the model's attention and MLP can be cached separately."""
    match(model.get_model_object("diffusion_model"))


def refuse_rivals(model) -> None:
    """Raise ConfigError, with its name, if another cache is on the model: two caches predict from each other's predictions."""
    options = model.model_options.get("transformer_options", {})
    names = {RIVAL_OPTIONS[key] for key in options if key in RIVAL_OPTIONS}
    names |= {RIVAL_WRAPPERS[key] for wrappers in model.wrappers.values() for key, found in wrappers.items() if found and key in RIVAL_WRAPPERS}
    wrapper = model.model_options.get("model_function_wrapper")
    origin = f"{getattr(wrapper, '__module__', '')} {getattr(wrapper, '__qualname__', '')}".lower().replace("_", "").replace("-", "")
    names |= {name for word, name in RIVAL_MODULES.items() if wrapper is not None and word in origin}
    if names:
        raise ConfigError(f"{' and '.join(sorted(names))} is on this model, too, and two caches spoil each other. Remove it, or this node.")

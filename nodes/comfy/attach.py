"""Put a cache on a clone of a model, through ComfyUI's own keyed wrappers."""

from __future__ import annotations

from functools import partial

from ...cache_core import ConfigError, Plan, Timeline
from ...cache_core.calibrate import Watch
from ...cache_core.errors import HostError
from ...cache_core.hosts import Host, match
from ...cache_core.plan import check_together
from ...cache_core.settings import Settings
from ...cache_core.settings.method import MethodSettings
from ...cache_core.settings.saved import ComputedSettings, FixedSettings
from . import KEY, only_learning, unseen
from .companions import companions
from .foresight import cfg_of, timeline_of
from .mailbox import Mailbox
from .memory import without_guest
from .profiling import settle
from .rivals import refuse_rivals
from .sampling import mask_of
from .session import Session
from .sessions import Sessions, reported
from .streams import shapes_of
from .time_embedding import timed


class Attachment:
    """Settings and mailboxes on the clone of an Apply node, and, while sampling, its sessions. Its methods wrap
    ComfyUI's functions of the same names."""

    def __init__(self, settings: tuple[Settings, ...], mailboxes: tuple[Mailbox, ...] = (), watch: Watch | None = None):
        self.settings, self.mailboxes, self.watch = settings, mailboxes, watch
        self.sessions = Sessions()

    def __deepcopy__(self, memo: dict) -> Attachment:
        return self  # ComfyUI deep-copies model options; a copy would split the wrappers from their sessions

    def outer_sample(self, executor, noise, latent_image, sampler, sigmas, denoise_mask=None, *rest, **named):
        """One sampling: a session for its length. The first one may be learned from."""
        guider, mask = executor.class_obj, mask_of(noise, denoise_mask)

        def sample(sigmas, *rest, noise=noise, **named):
            return executor(noise, latent_image, sampler, sigmas, denoise_mask, *rest, **named)

        for patcher in (guider.model_patcher, *companions(guider)):
            refuse_rivals(patcher, guider.model_options, sampler)  # one may have come behind this node
        wish = only_learning.wish()
        if wish and wish.dry and not wish.here:
            return latent_image
        if len(sigmas) < 2 or (wish and not wish.here):  # no steps, or not those that a plan is wanted for
            return sample(sigmas, *rest, **named)
        shapes = shapes_of(*rest, **named)
        timeline = timeline_of(guider.model_patcher, sampler, sigmas, cfg_of(guider), shapes)
        given = timed(self.settings, guider.model_patcher, sigmas)
        settled = settle(given, guider, sampler, sigmas, timeline, noise, mask)
        settings, lesson, note, origin, _ = settled
        if wish:
            if wish.unsampled(settled, timeline.steps):
                return latent_image
            lesson = wish.extended(lesson, noise, latent_image, unseen.seed_of(*rest, **named))
        session = lesson.session(guider) if lesson else Session.begin(settings, guider, timeline, self.watch, mask)
        session.origin = origin
        mailboxes, beside = reported(guider, self.mailboxes)
        for each in filter(None, (note, beside)):
            session.run.note(each)
        with self.sessions.opened(session, guider, mailboxes):
            samples = sample(sigmas, *rest, **named)
            if self.watch:
                _check_calibrated(session)
            if lesson and not session.remembers:
                last, by_name = unseen.quiet(*rest, **named)
                study = unseen.Study(session, self.sessions.open[session], lesson.unseen_steps)
                again = unseen.again(
                    self.sessions,
                    lesson,
                    guider,
                    lambda sigmas, **other: sample(sigmas, *last, **by_name, **other),
                    study,
                )
                unseen.learn(lesson, session, samples, again)
        if wish and lesson:
            wish.took(lesson.key, session)
        return samples

    def prepare_sampling(self, executor, model, noise_shape, conds, *args, **kwargs):
        """Room that ComfyUI makes for a sampling, and for the values that it will keep."""
        session = self.sessions.of(args[0] if args else kwargs.get("model_options"))
        if session is None:
            return executor(model, noise_shape, conds, *args, **kwargs)
        asked = session.reserve(model, noise_shape, conds)
        base_model, conds, models = executor(model, noise_shape, asked, *args, **kwargs)
        return base_model, without_guest(conds), models

    def predict_noise(self, executor, *args, **kwargs):
        """One evaluation: one decision, whatever number of model calls it takes."""
        session = self.sessions.of(args[2] if len(args) > 2 else kwargs.get("model_options"))
        if session is None:
            return executor(*args, **kwargs)
        denoised = session.evaluate(executor, *args, **kwargs)
        self.sessions.advanced(session)
        return denoised

    def calc_cond_batch(self, executor, model, conds, x, timestep, model_options, *args, **kwargs):
        """The conditionings of an evaluation, before they are batched into model calls."""
        session = self.sessions.of(model_options)
        calculate = partial(session.outputs, executor) if session else executor
        return calculate(model, conds, x, timestep, model_options, *args, **kwargs)

    def apply_model(self, executor, *args, **kwargs):
        """One model call of an evaluation, in the sampler's thread or in that of a device."""
        session = self.sessions.called(args[5] if len(args) > 5 else kwargs.get("transformer_options"))
        return session.call(executor, *args, **kwargs) if session else executor(*args, **kwargs)


def _check_calibrated(session: Session) -> None:
    """Raise ConfigError for a sampling that nothing can be learned from."""
    if session.remembers:
        raise ConfigError(
            f"{session.model_name} cannot be calibrated with this sampler: {session.run.demotions[-1]}. Choose another "
            "sampler, or sample this model without a plan."
        )
    if session.trace.foreign:
        raise ConfigError(
            "This sampler cannot be calibrated: it adds to the latent something that is not of the model, such as new "
            "noise. Set sampler to one that does not, such as euler."
        )


def attach(model, settings: Settings, mailbox: Mailbox):
    """A clone of `model` (a ComfyUI ModelPatcher) with the cache on it, beside one that is there already.

    Raises ConfigError when the two cannot share a model, or when another pack's cache is on it.
    """
    from comfy.patcher_extension import WrappersMP

    refuse_rivals(model)
    present = [wrapper.__self__ for wrapper in model.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY)]
    every = (*(s for attachment in present for s in attachment.settings), settings)
    mailboxes = (*(m for attachment in present for m in attachment.mailboxes), mailbox)
    check_together(tuple(map(_foreseen, every)))
    return _wrapped(model, Attachment(every, mailboxes))


def _foreseen(settings: Settings) -> Plan:
    """The plan for a sampling that is not known yet, of as many steps as the settings are for, else of 50; of a method
    that learns as it is once it has."""
    if isinstance(settings, MethodSettings):
        return settings.after_learning(Timeline.even(settings.own_steps or 50))
    return settings.plan(Timeline.even(50))


def watched(model, plans: tuple[Plan, ...], watch: Watch | None):
    """A clone of `model` that samples with `plans` alone, or with none, while `watch` looks on. Raises ConfigError
    if another pack's cache is on it."""
    refuse_rivals(model)
    settings: tuple[Settings, ...] = tuple(map(FixedSettings, plans)) or (ComputedSettings("calibration"),)
    return _wrapped(model, Attachment(settings, watch=watch))


def playing(model, settings: Settings, watch: Watch, mailbox: Mailbox):
    """A clone of `model` with the cache of `settings` alone, watched, whose reports go to `mailbox`. Raises ConfigError
    if another pack's cache is on it."""
    refuse_rivals(model)
    return _wrapped(model, Attachment((settings,), (mailbox,), watch))


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


def require_blocks(model) -> Host:
    """The host of the model. Raises HostError unless attention and MLP inside its blocks can be cached."""
    return match(model.get_model_object("diffusion_model"))


def require_separable(model) -> None:
    """Raise HostError unless the model's attention and MLP can be tried one without the other."""
    host = require_blocks(model)
    if not all(blocks.separable for blocks in host.blocks):
        raise HostError(
            f"site 'attention and MLP' cannot be calibrated for {host.name}: attention and mlp cannot be told apart in "
            "its blocks. FEB-Cache Apply merges them without a plan; calibrate site 'model output' for AB-Cache Apply."
        )

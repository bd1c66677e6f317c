"""The first sampling with a preset is computed in full and recorded; from it a plan is made for all that follow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from ...cache_core import OUTPUT, Kind, Plan, Timeline, evenly
from ...cache_core.calibrate import Recorder, Recording, Watch, fit, steps_for
from ...cache_core.calibrate.learn import named
from ...cache_core.calibrate.recording import drifts_by_modality
from ...cache_core.plan import MIN_STEPS, MOST_STEPS
from ...cache_core.planning import prior_fits, prior_steps
from ...cache_core.predictor import Fit
from ...cache_core.saved_plan.saved_plan import Origin, SavedPlan
from ...cache_core.schedule import TableAt, from_steps
from ...cache_core.settings import Settings, WidgetSettings
from ...cache_core.settings.foreseen import computed_steps, foreseeable
from ...cache_core.settings.saved import ComputedSettings, FixedSettings, SavedPlanSettings
from ...cache_core.show.similarity import in_words
from ...cache_core.site import in_order
from . import only_learning, plan_folder, sampling
from .guidance import guidance
from .plan_name import Subject, subject_of
from .session import Session
from .taught import Again, LearningError, Taught
from .weights import fingerprint

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger("feb_ab_cache")
FAIR, TRIES = 2.0, 2  # drift of sound relative to the video's that is fair, and plans that try to mend more
MOST_DRIFT = 0.1  # of a plan on its own picture; on others it is further off
SETTINGS_CHANGE = (
    "no plan is learned now, the widgets count: the last plans were never used, because size, guidance or other "
    "settings changed with each picture. One is learned as soon as the same settings come twice"
)


@dataclass(frozen=True)
class Lesson(Taught):
    """A plan to be learned. `subject`: for the name of its file. `noises`: of further pictures to learn from."""

    learner: WidgetSettings
    subject: Subject = ("", "")
    noises: tuple[Tensor, ...] = ()

    @property
    def unseen_steps(self) -> int:  # type: ignore[override]
        """Steps of the samplings that follow the recorded one, as long as the first plan is good enough: one to fit,
        and one by a plan that needs no picture; two for each further picture."""
        return 2 * (1 + len(self.noises)) * self.recorder.timeline.steps

    def learn(self, session: Session, samples: Tensor, again: Again) -> None:
        """Make the plan and keep it. Raises LearningError if none comes near enough."""
        if session.trace.foreign:
            raise LearningError("the sampler adds to the state what is not of the model, such as new noise")
        plan, unlearned = self._best(self._recordings(again), samples, again)
        plan_folder.keep(self.key, plan, self.subject)
        computed, steps = len(plan.table.computed(self._kind)), len(plan.table.rows)
        took = sum(evaluation.seconds for evaluation in session.run.evaluations)
        learned = (
            f"a plan was learned: from the next run on {self._runs} at {computed} of {steps} steps; on this picture it "
            f"is off by {plan.drift:.4f}{plan.drifts_text()} ({in_words(plan.drift or 0.0)}), {unlearned}; that saves "
            f"{steps - computed} steps, about {took * (1 - computed / steps):.1f} of the {took:.1f} seconds that this "
            "sampling took"
        )
        session.run.note(learned)
        log.info("%s: %s", self.learner.name, learned)

    def _recordings(self, again: Again) -> list[Recording]:
        """Recordings of the further pictures, and of the seen one, last. Raises LearningError without one of them."""
        recorders = []
        for noise in self.noises:
            recorders.append(Recorder(self.recorder.timeline))
            again(ComputedSettings(f"{self.learner.name}, recording"), recorders[-1], noise)
        found = [recorder.recording() for recorder in (*recorders, self.recorder)]
        if any(recording is None for recording in found):
            raise LearningError("the sampler leaves steps out, or calls the model between two steps")
        return [recording for recording in found if recording]

    @property
    def _kind(self) -> Kind:
        return in_order(self.learner.kinds)[0]

    @property
    def _runs(self) -> str:
        return "the model runs" if self.learner.kinds == OUTPUT else "attention and MLP run"

    def _best(self, recordings: Sequence[Recording], samples: Tensor, again: Again) -> tuple[SavedPlan, str]:
        """The plan that drifts least on the seen picture: learned from the recordings, or one without a picture,
        at the same count of computed steps; and the other one in words. The count is the preset's, or, where neither is
        near enough, that of the settings before learning. Raises LearningError where that is not either."""
        timeline, drifts = self.recorder.timeline, []
        unlearned = self.learner.unlearned().plan(timeline).schedule.table(timeline).computed(self._kind)
        least = computed_steps(timeline.steps, self.learner.learns)
        for count in dict.fromkeys((least, max(least, len(unlearned)))):
            learned = self._learned(recordings, count, samples, again)
            other, name = self._unlearned(learned, samples, again)
            best = learned if (learned.drift or 0.0) <= (other.drift or 0.0) else other
            if (best.drift or 0.0) <= MOST_DRIFT:
                return best, f"{name} by {other.drift:.4f}"
            drifts.append(f"{best.drift:.4f} with {count} of {timeline.steps} steps computed")
        raise LearningError(f"with a plan this picture would be off by {', by '.join(drifts)}; {MOST_DRIFT} is allowed")

    def _learned(self, recordings: Sequence[Recording], count: int, samples: Tensor, again: Again) -> SavedPlan:
        """The plan that computes `count` steps, learned from the pictures."""
        from comfy.model_management import throw_exception_if_processing_interrupted as tick

        def planned(shares: Sequence[float]) -> SavedPlan:
            steps, noises = (
                steps_for(recordings, count, self.recorder.timeline.signal, tick, shares),
                [*self.noises, None],
            )

            def sample(plan: Plan, tracker: Watch) -> Tensor:
                return again(self._fixed(plan, "fitting"), tracker, noises.pop(0))

            fits, final = fit(sample, recordings, self.learner.kinds, steps)
            return self._drifting(self._saved(steps, *fits), final, samples)

        return fairest(planned, len(recordings[-1].sizes))

    def _unlearned(self, learned: SavedPlan, samples: Tensor, again: Again) -> tuple[SavedPlan, str]:
        """A plan that needs no picture, as fast as the learned one, and its name: the foreseen one, or even steps."""
        timeline, count = self.recorder.timeline, len(learned.table.computed(self._kind))
        if foreseeable(timeline):
            steps, name = prior_steps(timeline, count), "without learning"
            bare = self._saved(steps, prior_fits(timeline, steps))
        else:
            bare, name = self._saved(evenly(timeline.steps, count)), "even steps"
        final = again(self._fixed(bare.plan(timeline, name), "comparing"), None)
        return self._drifting(bare, final, samples), name

    def _fixed(self, plan: Plan, doing: str) -> Settings:
        memory = getattr(self.learner, "memory", 0.0)
        return FixedSettings(replace(plan, name=f"{self.learner.name}, {doing}"), memory)

    def _saved(self, steps: Sequence[int], fits: tuple[Fit, ...] = (), *others: tuple[Fit, ...]) -> SavedPlan:
        sigmas = self.recorder.timeline.sigmas
        table = TableAt(from_steps(self.learner.kinds, steps, len(sigmas) - 1), sigmas)
        return SavedPlan(self.origin, table, fits, others=others)

    def _drifting(self, plan: SavedPlan, final: Tensor, samples: Tensor) -> SavedPlan:
        """The plan with the drift of its `final` latent: of several modalities the largest."""
        modalities = self.recorder.timeline.modalities
        drifts = drifts_by_modality(final, samples, [modality.size for modality in modalities])
        return replace(plan, drift=max(drifts), drifts=named(modalities, drifts))


def fairest(planned: Callable[[Sequence[float]], SavedPlan], modalities: int) -> SavedPlan:
    """The best of a few plans, each made with other shares of the modalities in the choice of steps.

    Sound that drifts more than twice as far as the video counts more in the next one. `planned`: the plan for given
    shares; none = alike.
    """
    best, shares = planned(()), [1.0] * modalities
    for _ in range(TRIES if modalities else 0):
        drifts = [drift for _, drift in best.drifts]
        if max(drifts) <= FAIR * drifts[0] or not all(map(isfinite, drifts)):
            break
        least = max(drifts[0], 1e-12)  # a video may not drift at all
        shares = [share * drift / least for share, drift in zip(shares, drifts, strict=True)]
        best = min(best, planned(shares), key=lambda plan: plan.drift or 0.0)
    return best


def learnable(steps: int, sampler: str) -> bool:
    """True if a plan can be learned from a sampling of `steps` steps, as far as that is known before it."""
    return MIN_STEPS <= steps <= MOST_STEPS and not sampling.noisy_name(sampler)


def hindrance(sampler: str, key: str) -> str:
    """The reason why no plan is learned for this key; empty where one can be, and where nothing is cached anyway."""
    if sampling.noisy_name(sampler):
        return f"no plan is learned with {sampler}, which adds new noise: the widgets count"
    reason = plan_folder.why_unlearnable(key)
    return reason and f"no plan is learned for this sampling, the widgets count: {reason}"


class Settled(NamedTuple):
    """The settings of a sampling, with a learned plan in place of those that it was learned for; or a `lesson`, where
    one is to be learned now; and a `note`. `origin`: of plans that can be learned for it, None without a learner;
    `key`: of such a plan."""

    settings: tuple[Settings, ...]
    lesson: Taught | None = None
    note: str = ""
    origin: Origin | None = None
    key: str = ""


def settle(settings: tuple[Settings, ...], guider, sampler, sigmas, timeline: Timeline, noise, mask=None) -> Settled:
    """The settings that count for the sampling at hand."""
    guided = guidance(guider, sampler, mask is not None)
    settings = tuple(replace(s, guidance=guided) if isinstance(s, SavedPlanSettings) else s for s in settings)
    learner = learner_of(settings)
    if learner is None:
        return Settled(settings)
    patcher, name = guider.model_patcher, sampling.sampler_name(sampler)
    origin = origin_of(patcher, name, noise.shape, guided)
    key = plan_folder.key_of(origin, timeline.sigmas, learner.learns, learner.kinds, len(timeline.modalities))
    note = hindrance(name, key)
    if note or timeline.rises or not learnable(timeline.steps, name):
        return Settled(settings, note=note, origin=origin, key=key)
    known = plan_folder.learned(key)
    if known is not None:
        plan_folder.used(key, origin)
        memory = getattr(learner, "memory", 0.0)
        plan = SavedPlanSettings(f"{learner.name}, learned", known, memory, learned=True, guidance=guided)
        return Settled(tuple(plan if s is learner else s for s in settings), origin=origin, key=key)
    if not (only_learning.wish() or plan_folder.worth_learning(key, origin)):
        return Settled(settings, note=SETTINGS_CHANGE, origin=origin, key=key)
    subject = subject_of(patcher, noise.shape)
    conds = {name: [dict(cond) for cond in found] for name, found in guider.conds.items()}
    lesson = Lesson(key, origin, Recorder(timeline), conds, sigmas.clone(), learner, mask, subject)
    return Settled(settings, lesson, origin=origin, key=key)


def origin_of(patcher, sampler: str, shape: Sequence[int], guided: str) -> Origin:
    """The origin of something learned today from one sampling of a latent of this shape."""
    model = type(patcher.model.diffusion_model).__name__
    return Origin(model, fingerprint(patcher), sampler, plan_folder.cells_of(shape), 1, str(date.today()), guided)


def learner_of(settings: tuple[Settings, ...]) -> WidgetSettings | None:
    """The settings that a plan is to be learned for. Beside AB-Cache FEB-Cache learns nothing: it would see only the
    steps at which the model runs."""
    learners = [s for s in settings if isinstance(s, WidgetSettings) and s.learns]
    alone = len(settings) == 1
    return next((s for s in learners if alone or s.kinds == OUTPUT), None)

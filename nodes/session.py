"""One sampling of a model with a cache on it: ComfyUI's calls, translated for the engine and back."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ..cache_core import ConfigError, Kind, Plan, Run, RunReport, report, scale_noise
from ..cache_core.calibrate import Watch
from ..cache_core.engine import evaluate, pass_through
from ..cache_core.fitting import Fitting
from ..cache_core.hosts import match
from ..cache_core.mount import Mounts
from ..cache_core.plan import outlook
from ..cache_core.predictor import REUSE
from ..cache_core.settings.planned import PlannedSettings
from ..cache_core.site import MODULES
from . import memory, sampling, streams
from .control import arrived
from .weights import full_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..cache_core.cache_plan import CachePlan
    from .attach import Settings
    from .progress import Progress

log = logging.getLogger("feb_ab_cache")


class Session:
    """`run` is the engine's memory; the rest is what is needed to speak ComfyUI."""

    def __init__(self, run: Run, model_sampling, model_name: str, gigabytes: float = 0.0, guided_alone: bool = False,
                 watch: Watch | None = None):
        self.run, self.model_sampling, self.model_name, self.gigabytes, self.watch = run, model_sampling, model_name, gigabytes, watch
        self.guided_alone = guided_alone  # whether the negative conditioning is not evaluated
        self.foreseen: memory.Forecast | None = None
        self.fitting: Fitting | None = None
        self.fitted = False
        self.modules_cached = bool(run.table.kinds & MODULES)
        self.compiled = False  # by torch.compile, as a whole or in parts
        self.name = " + ".join(plan.name for plan in run.plans)
        self.model_cached = Kind.MODEL in run.table.kinds or run.correcting is not None
        self.guided = next((plan for plan in run.plans if plan.guided), None)
        self.corrector = next((plan.corrector for plan in run.plans if plan.corrector.active), None)
        self.mounts: dict[int, Mounts] = {}
        self.learned: CachePlan | None = None  # from this run, or an earlier one, for the next one
        self.followed: tuple[CachePlan, ...] = ()  # what this run goes by, given or learned
        self.given: tuple[CachePlan, ...] = ()
        self._progress: Sequence[Progress] = ()

    @classmethod
    def begin(cls, settings: tuple[Settings, ...], guider, sampler, sigmas, watch: Watch | None = None) -> Session | None:
        """A session for the coming sampling, or None if it has no steps. `watch` sees its states and guided outputs."""
        if len(sigmas) < 2:
            return None
        model_sampling = guider.model_patcher.get_model_object("model_sampling")
        timeline = sampling.timeline(model_sampling, sigmas)
        plans, notes = fit_to_sampler(tuple(s.plan(timeline) for s in settings), sampling.sampler_name(sampler))
        run = Run(plans, timeline)
        session = cls(run, model_sampling, type(guider.model_patcher.model.diffusion_model).__name__, max(s.memory for s in settings),
                      getattr(guider, "cfg", None) == 1.0, watch)
        session.compiled = sampling.is_compiled(guider.model_patcher)
        planned = [s for s in settings if isinstance(s, PlannedSettings)]
        session.followed = tuple(s.given for s in planned)
        session.given = tuple(s.given for s in planned if not s.learned)
        session.learned = next((s.given for s in planned if s.learned), None)
        for note in notes:
            run.note(note)
        log.info("%s on %s: %s", session.name, session.model_name, "; ".join([outlook(run.plans, run.table), *run.notes]))
        return session

    def watched_by(self, progress: Sequence[Progress]) -> None:
        """Show the run on these timelines from now on."""
        self._progress = progress
        for shown in progress:
            shown.began(self.run)

    def tell(self) -> None:
        """Show the evaluation that is done."""
        for shown in self._progress:
            shown.advanced(self.run)

    def end(self, finished: bool) -> RunReport:
        """Drop all tensors and say what happened: one line in the log, all of it in the report."""
        if finished:  # after a failure the device may have nothing good to say, and would say it in place of what failed
            sampling.synchronise(self.run)
        self.run.close()
        self.mounts.clear()
        result = report(self.run, self.model_name, finished)
        log.info("%s", result.line())
        return result

    def reserve(self, patcher, noise_shape, conds: dict) -> dict:
        """PREPARE_SAMPLING: the conditionings to make room for, and what is kept of them."""
        if not self.modules_cached:
            return conds
        evaluated = [cond for name, found in conds.items() if not (self.guided_alone and name == "negative") for cond in found]
        self.foreseen = memory.foresee(self.run, patcher.model, noise_shape, evaluated)
        return memory.with_guest(conds, memory.asked(self.run, self.foreseen.footprint, self.gigabytes, patcher.load_device))

    def _fit(self, base_model, x, context) -> None:
        """Choose, once the model is loaded and before anything is kept, how to keep it: for good by what the first evaluation shows."""
        if self.fitting is None:
            foreseen = self.foreseen or memory.foresee(self.run, base_model, x.shape, [{"cross_attn": context}])
            room = memory.budget(self.gigabytes, base_model, x, foreseen.shapes)
            self.fitting = Fitting(self.run, foreseen.footprint, room, foreseen.share_seen)
        if not self.fitting.ready:
            return
        said = len(self.run.notes)
        self.fitting.settle()
        self.fitted = True
        for note in self.run.notes[said:]:
            log.info("%s on %s: %s", self.name, self.model_name, note)

    def evaluate(self, executor, x, timestep, *args, **kwargs):
        """PREDICT_NOISE: the guided, denoised prediction for `x`."""
        run, sigma = self.run, float(timestep.max())  # the one synchronisation of the evaluation
        run.begin(sigma)
        if self.watch and sigma:
            self.watch.begin(sigma, x)
            for kinds in run.trials:
                with run.trial(kinds):
                    self.watch.tried(kinds, sampling.raw_output(self.model_sampling, timestep, x, executor(x, timestep, *args, **kwargs)))
        if self.guided is None or not sigma:
            denoised = executor(x, timestep, *args, **kwargs)
        else:
            signature = (tuple(x.shape), x.dtype, x.device)
            denoised = self._through_engine(("guided",), signature, x, timestep, lambda: executor(x, timestep, *args, **kwargs), None)
        if self.watch and sigma:
            raw = sampling.raw_output(self.model_sampling, timestep, x, denoised)
            corrected = self.watch.end(raw)
            denoised = denoised if corrected is raw else self.model_sampling.calculate_denoised(timestep, corrected, x)
        if self.corrector is None:
            return denoised
        time = run.timeline.times[run.evaluation.step]
        return scale_noise(x, denoised, sampling.alpha(self.model_sampling, sigma), self.corrector.factor(time))

    @property
    def predicts_model(self) -> bool:
        """Whether this evaluation predicts the model's output, as far as there is something to predict it from."""
        return bool(self.run.evaluations) and Kind.MODEL in self.run.evaluation.predicted

    def call(self, executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs):
        """APPLY_MODEL: the denoised prediction of the conditionings in one batch."""
        options = transformer_options if transformer_options is not None else {}

        def model():
            return executor(x, t, c_concat, c_crossattn, arrived(control), options, **kwargs)

        if not self.run.evaluations or (self.guided and not self.modules_cached):
            return model()
        conditionings, signature = streams.of_call(x, c_crossattn if self.modules_cached else None, options)
        if self.modules_cached and not self.fitted:
            self._fit(executor.class_obj, x, c_crossattn)
        mounts = self._mounts(executor.class_obj.diffusion_model, options) if self.modules_cached else None
        if self.model_cached and self.guided is None and self.run.evaluation.sigma:  # at sigma 0 nothing of the output is left in x0
            return self._through_engine(conditionings, signature, x, t, model, mounts)
        return pass_through(self.run, conditionings, signature, model, mounts)

    def _through_engine(self, conditionings, signature, x, sigma, model, mounts):
        """`model`'s denoised prediction, or one rebuilt from a predicted raw output. The engine only ever sees raw outputs."""
        denoised = raw = None

        def compute():
            nonlocal denoised, raw
            denoised = model()
            raw = sampling.raw_output(self.model_sampling, sigma, x, denoised)
            return raw

        out = evaluate(self.run, conditionings, signature, compute, mounts)
        return denoised if out is raw else self.model_sampling.calculate_denoised(sigma, out, x)

    def _mounts(self, diffusion_model, options: dict) -> Mounts:
        """The mounts of the module that really runs: a copy of the model on another device has its own."""
        key = id(diffusion_model)
        if key not in self.mounts:
            self.mounts[key] = Mounts(diffusion_model, match(diffusion_model), self.run, full_weights)
            if self.compiled:
                self.mounts[key].merge_alone("the model is compiled")
        self.mounts[key].notice(options)
        return self.mounts[key]


def fit_to_sampler(plans: tuple[Plan, ...], sampler: str) -> tuple[tuple[Plan, ...], list[str]]:
    """The plans as this sampler can bear them, and what was changed. Raises ConfigError where it cannot."""
    if "cfg_pp" in sampler and any(plan.guided for plan in plans):
        raise ConfigError(f"after_guidance cannot be used with {sampler}: it needs the unguided output of every step. Switch after_guidance off.")
    if not sampling.adds_noise(sampler) or all(plan.predictor.order == 1 for plan in plans):
        return plans, []
    lowered = tuple(replace(plan, predictor=REUSE) for plan in plans)
    return lowered, [f"{sampler} adds new noise at each step, so outputs are reused, not extrapolated"]

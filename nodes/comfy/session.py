"""One sampling of a model with a cache on it: ComfyUI's calls, translated for the engine and back."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from threading import get_ident
from typing import TYPE_CHECKING

from ...cache_core import Kind, Run, RunReport, scale_noise
from ...cache_core.calibrate import Watch
from ...cache_core.plan import outlook, unfit
from ...cache_core.run.engine import evaluate, pass_through
from ...cache_core.run.sampler_trace import SamplerTrace
from ...cache_core.run.shortfall import unpredicted
from ...cache_core.settings.saved import SavedPlanSettings
from ...cache_core.show.report import report
from . import compiler, sampling, streams
from .controlnet import arrived
from .inside import Inside
from .remembering import observed
from .turns import turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...cache_core.saved_plan.saved_plan import SavedPlan
    from ..page.last_runs import Progress
    from .attach import Settings

log = logging.getLogger("feb_ab_cache")


class Session(Inside):
    """`run` is the engine's memory; the rest is what is needed to speak ComfyUI."""

    def __init__(
        self,
        run: Run,
        model_sampling,
        model_name: str,
        gigabytes: float = 0.0,
        guided_alone: bool = False,
        watch: Watch | None = None,
    ):
        super().__init__(run, model_name, gigabytes, guided_alone)
        self.model_sampling, self.watch = model_sampling, watch
        self.model_cached = Kind.MODEL in run.table.kinds or run.correcting is not None
        self.guided = next((plan for plan in run.plans if plan.guided), None)
        correctors = (plan.corrector for plan in run.plans if plan.corrector.active and not unfit(run.timeline))
        self.corrector = next(correctors, None)  # none in a run that is not cached: its picture is the plain one
        self.remembers = False  # whether later calls of the model need what earlier ones have left
        self.thread = get_ident()  # that of the sampler; others may call the model
        self.learned: SavedPlan | None = None  # from this run, or an earlier one, for the next one
        self.followed: tuple[SavedPlan, ...] = ()  # what this run goes by, given or learned
        self.given: tuple[SavedPlan, ...] = ()
        self.trace, self.parts = (
            SamplerTrace(),
            [],
        )  # `parts`: conditional and unconditional outputs of this evaluation, denoised
        self.hooks: frozenset = frozenset()  # on the guided output, of other nodes; a sampler may add its own
        self._progress: Sequence[Progress] = ()

    @classmethod
    def begin(
        cls, settings: tuple[Settings, ...], guider, sigmas, watch: Watch | None = None, mask=None
    ) -> Session | None:
        """A session for the coming sampling, or None if it has no steps. `watch` sees its states and guided outputs.
        `mask`: where the sampler decides (inpainting), shaped like the latent."""
        if len(sigmas) < 2:
            return None
        model_sampling = guider.model_patcher.get_model_object("model_sampling")
        timeline = sampling.timeline(model_sampling, sigmas)
        compiled = sampling.is_compiled(guider.model_patcher)
        plans = tuple(s.plan(timeline) for s in settings)
        run = Run(plans, timeline, nullcontext if compiled else compiler.outside_recording())
        session = cls(
            run,
            model_sampling,
            type(guider.model_patcher.model.diffusion_model).__name__,
            max(s.memory for s in settings),
            getattr(guider, "cfg", None) == 1.0,
            watch,
        )
        session.compiled, session.device = compiled, guider.model_patcher.load_device
        planned = [s for s in settings if isinstance(s, SavedPlanSettings)]
        session.followed = tuple(s.given for s in planned)
        session.given = tuple(s.given for s in planned if not s.learned)
        session.learned = next((s.given for s in planned if s.learned), None)
        session.hooks = sampling.hooks_of(guider.model_options)
        session.trace = SamplerTrace(None if mask is None else mask >= 1)
        log.info(
            "%s on %s: %s", session.name, session.model_name, "; ".join([outlook(run.plans, run.table), *run.notes])
        )
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
        if (
            finished
        ):  # after a failure the device may have nothing good to say, and would say it in place of what failed
            sampling.synchronise(self.run)
        if finished and (reason := unpredicted(self.run)):
            self.run.note(reason)
        self.run.close()
        self.mounts.clear()
        result = report(self.run, self.model_name, finished)
        log.info("%s", result.line())
        return result

    def evaluate(self, executor, x, timestep, model_options=None, *args, **kwargs):
        """PREDICT_NOISE: the guided, denoised prediction for `x`."""
        sigma = float(timestep.max())  # the one synchronisation of the evaluation
        self._decide(x, sigma, model_options or {})

        def model():
            return executor(x, timestep, model_options or {}, *args, **kwargs)

        if self.watch and sigma:
            self._try_kinds(x, sigma, timestep, model)
        denoised = self._guided(x, sigma, timestep, model, model_options or {})
        if self.watch and sigma:
            denoised = self._watched(x, timestep, denoised)
        denoised = self._rescaled(x, sigma, denoised)
        self.trace.end(denoised, *self.parts)
        return denoised

    def _decide(self, x, sigma: float, model_options: dict) -> None:
        """Begin the evaluation, by what the sampler has been seen to do."""
        run, self.parts = self.run, []
        self.trace.begin(run.timeline.step_of(sigma), x)
        if self.trace.foreign or self.trace.rose:
            run.reuse("the sampler adds to the state what is not of the model, such as new noise")
        if self.guided and sampling.hooks_of(model_options) - self.hooks:
            run.bar(
                {Kind.MODEL},
                "this sampler needs the unguided output of every step, so the model is computed. Switch "
                "after_guidance off",
            )
        run.begin(sigma, computed=self.trace.rose)

    def _try_kinds(self, x, sigma: float, timestep, model) -> None:
        """Let the watch see the state, and what each trial of the run makes of it."""
        self.watch.begin(sigma, x)
        for kinds in self.run.trials:
            with self.run.trial(kinds):
                self.watch.tried(kinds, sampling.raw_output(self.model_sampling, timestep, x, model()))

    def _guided(self, x, sigma: float, timestep, model, model_options: dict):
        if self.guided is None or not sigma:
            return model()
        several = (
            "multigpu_clones" in model_options
        )  # after an error in one thread ComfyUI leaves another's answer for the next evaluation
        return self._through_engine(("guided",), (tuple(x.shape), x.dtype), x, timestep, model, None, once=several)

    def _watched(self, x, timestep, denoised):
        """What the sampling goes on with once the watch has seen the raw output."""
        raw = sampling.raw_output(self.model_sampling, timestep, x, denoised)
        corrected = self.watch.end(raw)
        return denoised if corrected is raw else self.model_sampling.calculate_denoised(timestep, corrected, x)

    def _rescaled(self, x, sigma: float, denoised):
        if self.corrector is None:
            return denoised
        time = self.run.timeline.times[self.run.evaluation.step]
        return scale_noise(x, denoised, sampling.alpha(self.model_sampling, sigma), self.corrector.factor(time))

    @property
    def predicts_model(self) -> bool:
        """Whether this evaluation predicts the model's output, as far as there is something to predict it from."""
        return bool(self.run.evaluations) and Kind.MODEL in self.run.evaluation.predicted

    def call(self, executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs):
        """APPLY_MODEL: the denoised prediction of the conditionings in one batch."""
        options, mounts = transformer_options if transformer_options is not None else {}, None

        def call():
            with self._resting(executor.class_obj.diffusion_model, mounts):
                return executor(x, t, c_concat, c_crossattn, arrived(control), options, **kwargs)

        def model():
            return call() if self.remembers or len(self.run.evaluations) != 1 else observed(options, call, self._let_be)

        if not self.run.evaluations or (self.guided and not self.modules_cached):
            return model()
        conditionings, signature = streams.of_call(x, c_crossattn if self.modules_cached else None, options)
        with turn(
            executor.class_obj.diffusion_model
        ):  # mounts take the block's own forwards, which another call may have replaced
            mounts = self._prepared(executor.class_obj, x, c_crossattn, options) if self.modules_cached else None
            if (
                self.model_cached and self.guided is None and self.run.evaluation.sigma
            ):  # at sigma 0 nothing of the output is left in x0
                return self._through_engine(conditionings, signature, x, t, model, mounts)
            return pass_through(self.run, conditionings, signature, model, mounts, x.device)

    def _let_be(self, option: str) -> None:
        """Compute everything from the first call on, as if there were no cache."""
        self.remembers, self.corrector = True, None
        self.run.bar(
            frozenset(Kind),
            f"each call of this model leaves something in {option} that later calls need, and a predicted step would "
            "not: running uncached",
        )

    def _through_engine(self, conditionings, signature, x, sigma, model, mounts, once: bool = False):
        """`model`'s denoised prediction, or one rebuilt from a predicted raw output. The engine only ever sees raw outputs."""
        denoised = raw = None

        def compute():
            nonlocal denoised, raw
            denoised = model()
            raw = sampling.raw_output(self.model_sampling, sigma, x, denoised)
            return raw

        out = evaluate(self.run, conditionings, signature, compute, mounts, x.device, once)
        return denoised if out is raw else self.model_sampling.calculate_denoised(sigma, out, x)

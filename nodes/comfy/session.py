"""One sampling of a model with a cache on it: ComfyUI's calls, translated for the engine and back."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from threading import get_ident
from typing import TYPE_CHECKING

from ...cache_core import Kind, Run, RunReport, Timeline, scale_noise
from ...cache_core.calibrate import BranchWatch, Watch
from ...cache_core.plan import outlook, unfit
from ...cache_core.run.engine import evaluate, pass_through
from ...cache_core.run.sampler_trace import SamplerTrace
from ...cache_core.run.shortfall import unpredicted
from ...cache_core.settings import Settings
from ...cache_core.settings.method import MethodSettings
from ...cache_core.settings.saved import SavedPlanSettings
from ...cache_core.show.report import report
from . import KEY, compiler, sampling, streams
from .branches import Branches, unpaired
from .companions import companions, others_of
from .controlnet import arrived, overheard, waiting
from .inside import Inside
from .remembering import observed
from .turns import turn

if TYPE_CHECKING:
    from ...cache_core.calibrate.bench import TrialWatch
    from ...cache_core.saved_plan.saved_plan import Origin, SavedPlan

log = logging.getLogger("feb_ab_cache")


class Session(Inside):
    """`run`: the engine's memory; the rest is needed to speak ComfyUI. `watch`: sees the states and guided outputs.

    `remembers`: True if later calls of the model need what earlier ones have left. `thread`: the sampler's; others may
    call the model. `followed`: the plans of this run, given or learned; `given`: those of a node. `origin`: of plans
    that can be learned for this sampling, None where none can be; `lesson`: the outcome of learning in this run, by the
    words of `unseen`; `method`: the settings of a method, also where a picture is recorded for it; `prices`: seconds of
    evaluations of unseen samplings, by state. `others`: numbers of the models that the guider calls beside its own, by
    id. `hooks`: functions of other nodes on the guided output; a sampler may add its own. `branches`: of the guidance,
    where a plan leaves one out. `parts`: denoised conditional and unconditional outputs of this evaluation; `apart`:
    the raw difference of the two, for a watch that asks for it.
    """

    def __init__(self, run: Run, model_sampling, model_name: str, watch: Watch | None = None, **inside):
        super().__init__(run, model_name, **inside)
        self.model_sampling, self.watch = model_sampling, watch
        self.model_cached = Kind.MODEL in run.table.kinds or run.correcting is not None
        self.guided = next((plan for plan in run.plans if plan.guided), None)
        correctors = (plan.corrector for plan in run.plans if plan.corrector.active and not unfit(run.timeline))
        self.corrector = next(correctors, None)  # none in a run that is not cached: its picture is the plain one
        self.remembers, self.thread = False, get_ident()
        self.followed: tuple[SavedPlan, ...] = ()
        self.given: tuple[SavedPlan, ...] = ()
        self.origin: Origin | None = None
        self.lesson = ""
        self.method: MethodSettings | None = None
        self.prices: dict[str, float] = {}
        self.others: dict[int, int] = {}
        self.hooks: frozenset = frozenset()
        self.trace = SamplerTrace()
        self.branches = Branches(run, model_sampling) if Kind.GUIDANCE in run.table.kinds else None
        self.parts: list = []
        self.apart = None

    @classmethod
    def begin(
        cls, settings: tuple[Settings, ...], guider, timeline: Timeline, watch: Watch | None = None, mask=None
    ) -> Session:
        """The session of the coming sampling, which has steps. `mask`: 1 where the sampler decides (inpainting), shaped
        like the latent."""
        patcher = guider.model_patcher
        model_sampling = patcher.get_model_object("model_sampling")
        compiled = any(map(sampling.is_compiled, (patcher, *companions(guider))))
        keeping = nullcontext if compiled else compiler.outside_recording()
        run = Run(tuple(s.plan(timeline) for s in settings), timeline, keeping)
        session = cls(
            run,
            model_sampling,
            type(patcher.model.diffusion_model).__name__,
            watch,
            gigabytes=max(s.memory for s in settings),
            guided_alone=getattr(guider, "cfg", None) == 1.0,
            compiled=compiled,
            device=patcher.load_device,
        )
        planned = [s for s in settings if isinstance(s, SavedPlanSettings)]
        session.followed = tuple(s.given for s in planned)
        session.given = tuple(s.given for s in planned if not s.learned)
        session.method = next((s for s in settings if isinstance(s, MethodSettings)), None)
        session.others = others_of(guider)
        session.hooks = sampling.hooks_of(guider.model_options)
        session.trace = SamplerTrace(None if mask is None else mask >= 1)
        intended = "; ".join([outlook(run.plans, run.agenda.shown), *run.notes])
        log.info("%s on %s: %s", session.name, session.model_name, intended)
        return session

    def end(self, finished: bool) -> RunReport:
        """The report; a line of it goes to the log. All tensors are dropped."""
        if finished:  # after a failure the device might raise an error of its own, in place of the first one
            sampling.synchronise(self.run)
        if finished and (reason := unpredicted(self.run)):
            self.run.note(reason)
        self.run.close()
        self.mounts.clear()
        result = report(self.run, self.model_name, finished)
        log.info("%s", result.line())
        return result

    def evaluate(self, executor, x, timestep, model_options=None, *args, **kwargs):
        """PREDICT_NOISE: the guided, denoised prediction for the state `x`, of its shape."""
        options = model_options or {}
        sigma = float(timestep.max())  # the one synchronisation of the evaluation
        self._decide(x, sigma, options)

        def model():
            return executor(x, timestep, options, *args, **kwargs)

        watch = self.watch if sigma else None
        if watch:
            self._try_kinds(watch, x, sigma, timestep, model)
        denoised = self._guided(x, sigma, timestep, model, options)
        if watch:
            denoised = self._watched(watch, x, timestep, denoised)
        denoised = self._rescaled(x, sigma, denoised)
        self.trace.end(denoised, *self.parts)
        return denoised

    def _decide(self, x, sigma: float, model_options: dict) -> None:
        """Begin the evaluation; predictions are limited by what the sampler has done so far."""
        run, self.parts, self.apart = self.run, [], None
        self.trace.begin(run.timeline.step_of(sigma), x)
        if self.trace.foreign or self.trace.rose:
            run.reuse("the sampler adds to the state what is not of the model, such as new noise")
        if self.guided and sampling.hooks_of(model_options) - self.hooks:
            run.bar(
                {Kind.MODEL},
                "this sampler needs the unguided output of every step, so the model is computed. Choose another "
                "sampler, or switch after_guidance off",
            )
        if self.branches:
            self.branches.decide(model_options, self.hooks)
        run.begin(sigma, computed=self.trace.rose, state=x)

    def _try_kinds(self, watch: TrialWatch, x, sigma: float, timestep, model) -> None:
        """Let the watch see the state, and the raw output of each trial of the run."""
        watch.begin(sigma, x)
        for tried in self.run.trials:
            with self.run.trial(tried):
                watch.tried(tried, sampling.raw_output(self.model_sampling, timestep, x, model()))
        self.parts, self.apart = [], None

    def _guided(self, x, sigma: float, timestep, model, options: dict):
        """The guided output; by the engine where the plan predicts after guidance."""
        if self.guided is None or not sigma:
            return model()
        # after an error in one device's thread ComfyUI leaves another's answer for the next evaluation
        several = "multigpu_clones" in options
        signature, sizes = (tuple(x.shape), x.dtype), streams.sizes_of(x, (), self.run.timeline.modalities)
        ours = self.model_sampling
        return self._through_engine(("guided",), signature, x, timestep, model, None, ours, sizes, once=several)

    def _watched(self, watch: Watch, x, timestep, denoised):
        """The denoised output that the sampling goes on with, once the watch has seen the raw one."""
        raw = sampling.raw_output(self.model_sampling, timestep, x, denoised)
        if self.apart is not None and isinstance(watch, BranchWatch):
            watch.differed(self.apart)
        corrected = watch.end(raw)
        return denoised if corrected is raw else self.model_sampling.calculate_denoised(timestep, corrected, x)

    def _rescaled(self, x, sigma: float, denoised):
        """`denoised` with the predicted noise scaled, where the plan has a noise scale."""
        if self.corrector is None:
            return denoised
        time = self.run.timeline.times[self.run.evaluation.step]
        return scale_noise(x, denoised, sampling.alpha(self.model_sampling, sigma), self.corrector.factor(time))

    @property
    def predicts_model(self) -> bool:
        """True if this evaluation predicts the model's output, unless there is nothing to predict it from."""
        return bool(self.run.evaluations) and Kind.MODEL in self.run.evaluation.predicted

    def outputs(self, executor, model, conds, x, timestep, model_options, *args, **kwargs) -> list:
        """CALC_COND_BATCH: the denoised outputs of the conditionings, before they are batched into model calls."""
        if self.predicts_model and not overheard(model_options, KEY):
            conds = waiting(conds)

        def calculate(conds) -> list:
            return executor(model, conds, x, timestep, model_options, *args, **kwargs)

        branches = self.branches if self.run.evaluations else None
        outputs = branches.outputs(calculate, conds, x, timestep, model_options) if branches else calculate(conds)
        self.parts += outputs
        if self.watch and len(self.parts) == 2 and timestep.max() and not unpaired(conds):
            self.apart = sampling.raw_difference(self.model_sampling, timestep, *reversed(outputs))
        return outputs

    def call(self, executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs):
        """APPLY_MODEL: the denoised predictions of the conditionings in one batch, of the shape of `x`."""
        options, mounts = transformer_options if transformer_options is not None else {}, None

        def call():
            with self._resting(executor.class_obj.diffusion_model, mounts):
                return executor(x, t, c_concat, c_crossattn, arrived(control), options, **kwargs)

        def model():
            return call() if self.remembers or len(self.run.evaluations) != 1 else observed(options, call, self._let_be)

        if not self.run.evaluations or (self.guided and not self.modules_cached):
            return model()
        diffusion_model, inside = executor.class_obj.diffusion_model, self.modules_cached
        number = self.others.get(id(executor.class_obj))
        model_sampling = executor.class_obj.model_sampling if number else self.model_sampling
        conditionings, signature = streams.of_call(x, c_crossattn if inside else None, options, number)
        # mounts take the block's own forwards, which another call may have replaced
        with turn(diffusion_model):
            mounts = self._prepared(executor.class_obj, x, c_crossattn, options) if inside else None
            if mounts and mounts.swaps:
                signature = signature, conditionings
            if self.model_cached and self.guided is None and self.run.evaluation.sigma:  # at 0 x0 holds no raw output
                sizes = streams.sizes_of(x, kwargs.get("latent_shapes", ()), self.run.timeline.modalities)
                return self._through_engine(conditionings, signature, x, t, model, mounts, model_sampling, sizes)
            return pass_through(self.run, conditionings, signature, model, mounts, x.device)

    def _let_be(self, option: str) -> None:
        """Compute everything from now on: the model remembers in `option`, so that no call may be left out."""
        self.remembers, self.corrector = True, None
        self.run.bar(
            frozenset(Kind),
            f"each call of this model leaves something in {option} that later calls need, and a predicted step would "
            "not: running uncached",
        )

    def _through_engine(
        self, conditionings, signature, x, sigma, model, mounts, model_sampling, sizes=(), once: bool = False
    ):
        """The denoised output of `model`, or one rebuilt from a predicted raw output, which is all the engine sees."""
        denoised = raw = None

        def compute():
            nonlocal denoised, raw
            denoised = model()
            raw = sampling.raw_output(model_sampling, sigma, x, denoised)
            return raw

        out = evaluate(self.run, conditionings, signature, compute, mounts, x.device, once, sizes)
        return denoised if out is raw else model_sampling.calculate_denoised(sigma, out, x)

"""The part of a session inside the model: mounts on its blocks, memory for kept values, weights that need not come."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext

from ...cache_core import HostError, Run
from ...cache_core.hosts import merging
from ...cache_core.mount import Mounts
from ...cache_core.run.rung_choice import RungChoice
from ...cache_core.site import MODULES
from . import compiler, memory
from .weights import full_weights

log = logging.getLogger("feb_ab_cache")


class Inside:
    """`gigabytes`: of the memory widget, 0 = by what is free. `guided_alone`: True if the negative conditioning is not
    evaluated. `compiled`: by torch.compile, as a whole or in parts. `device`: of the loaded model."""

    def __init__(self, run: Run, model_name: str, gigabytes=0.0, guided_alone=False, compiled=False, device=None):
        self.run, self.model_name, self.gigabytes, self.guided_alone = run, model_name, gigabytes, guided_alone
        self.compiled, self.device = compiled, device
        self.name = " + ".join(plan.name for plan in run.plans)
        self.modules_cached = bool(run.table.kinds & MODULES)
        self.foreseen: memory.Forecast | None = None
        self.rung_choice: RungChoice | None = None
        self.mounts: dict[int, Mounts | None] = {}  # by the module that runs: a copy on another device has its own

    def unrecorded(self) -> AbstractContextManager[None]:
        """The context of the sampling: ComfyUI's compiler records none of its model calls where something inside
        them may be predicted."""
        run = self.run
        inside = run.trying or any(state & MODULES for state in run.table.states())
        return compiler.unrecorded(run, self.device) if inside else nullcontext()

    def reserve(self, patcher, noise_shape, conds: dict) -> dict:
        """PREPARE_SAMPLING: the conditionings, with a guest that asks for room for the kept values."""
        if not self.modules_cached:
            return conds
        named = (own for name, own in conds.items() if not (self.guided_alone and name == "negative"))
        evaluated = [cond for own in named for cond in own]
        self.foreseen = memory.foresee(self.run, patcher.model, noise_shape, evaluated)
        size = memory.asked(self.run, self.foreseen.footprint, self.gigabytes, patcher.load_device)
        return memory.with_guest(conds, size)

    def _fit(self, base_model, x, context) -> None:
        """Choose how to keep values, before anything is kept on the device of `x`; for good once the first evaluation
        has been measured."""
        before = len(self.run.notes)
        if self.rung_choice is None or x.device not in self.rung_choice.devices:
            foreseen = self.foreseen or memory.foresee(self.run, base_model, x.shape, [{"cross_attn": context}])
            room = memory.budget(self.gigabytes, base_model, x, foreseen.shapes)
            self.rung_choice = self.rung_choice or RungChoice(self.run, foreseen.footprint, foreseen.fraction_seen)
            self.rung_choice.allow(x.device, room)
        if self.rung_choice.ready:
            self.rung_choice.settle()
        for note in self.run.notes[before:]:
            log.info("%s on %s: %s", self.name, self.model_name, note)

    def _prepared(self, base_model, x, context, options: dict) -> Mounts | None:
        """The mounts for a call of `base_model`, once its device has been asked for room; None as in `_mounted`."""
        with self.run.lock:
            self._fit(base_model, x, context)
            return self._mounts(base_model.diffusion_model, options)

    def _resting(self, diffusion_model, mounts: Mounts | None) -> AbstractContextManager[None]:
        """The context of a model call: weights are not fetched where no block computes. A compiled model would be
        compiled anew for it."""
        resting = mounts is not None and mounts.rests and not self.compiled
        return compiler.without_prefetch(diffusion_model) if resting else nullcontext()

    def _mounts(self, diffusion_model, options: dict) -> Mounts | None:
        """The mounts of the module that really runs: a copy of the model on another device has its own."""
        key = id(diffusion_model)
        if key not in self.mounts:
            self.mounts[key] = self._mounted(diffusion_model)
        mounts = self.mounts[key]
        if mounts:
            mounts.notice(options)
        return mounts

    def _mounted(self, diffusion_model) -> Mounts | None:
        """New mounts; None where decisions inside the model would not be asked for."""
        if compiler.is_captured(diffusion_model):
            self.run.bar(
                MODULES,
                "ComfyUI may replay this model's blocks as CUDA graphs, past any decision: attention and mlp are "
                "computed",
            )
            return None
        try:
            host = merging(diffusion_model)
        except HostError as error:  # of a guider's second model; the first one is looked at by the node
            self.run.demote(f"the guider's second model is computed: {error}")
            return None
        mounts = Mounts(diffusion_model, host, self.run, full_weights)
        if self.compiled:
            mounts.compiled()
        return mounts

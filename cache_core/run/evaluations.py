"""The part of a run that begins evaluations, one after the other, and decides about each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from ..plan import Plan
from ..site import LATENT, Kind, Sites
from ..timeline import Timeline
from .evaluation import Evaluation
from .memory import Memory, Outside
from .readings import Patch
from .verdict import Verdict


class Evaluations(Memory):
    """`trials`: sets of kinds, or of sites, to try at the running evaluation."""

    def __init__(self, plans: tuple[Plan, ...], timeline: Timeline, outside: Outside):
        super().__init__(plans, timeline, outside)
        self.timeline = timeline
        self.trials: tuple[frozenset[Kind] | Sites, ...] = ()
        self._verdict = Verdict(() if self.trying else plans, self.store)

    def begin(
        self, sigma: float, now: float | None = None, computed: bool = False, state: Tensor | None = None
    ) -> Evaluation:
        """Start the next evaluation at `sigma`, of `state` `(B, C, ...)`, at `now` seconds, and take its one decision.
        `computed`: predict nothing, whatever the plans say."""
        self.end(now := time.perf_counter() if now is None else now)
        with self.lock:
            step = self.timeline.step_of(sigma)
            predicted = self._tidied(step)
            sites = self.agenda.sites[step] if self.agenda.sites else None
            evaluation = Evaluation(step, sigma, frozenset() if computed else predicted, now, sites=sites)
            self.evaluations.append(evaluation)
            self._verdict.begin(evaluation, state, self._time)
            self.store.begin(evaluation.predicted)
            self.trials = self.agenda.trials(step) if self.store.used else ()
            return evaluation

    @property
    def looks_inside(self) -> bool:
        """True if its decisions are taken by what the model's first block is given."""
        return self._verdict.inside

    @property
    def looks_behind(self) -> bool:
        """True if they are taken behind the blocks that run at every step."""
        return self._verdict.behind

    @property
    def looks_at_residual(self) -> bool:
        """True if they are taken by what those blocks add; False by what they return."""
        return self._verdict.adds

    def judge(self, value: Tensor | None, patch: Patch = 1) -> None:
        """Decide about the running evaluation, if it has been left open, by the input `(B, L, C)` of the model's first
        block, None where there is none; the first call decides for all. `patch`: latent cells to a token, see on_grid.
        """
        with self.lock:
            if self.evaluation.open:
                self._verdict.judge(self.evaluation, value, self._time, patch)

    def _tidied(self, step: int) -> frozenset[Kind]:
        """Kinds that the agenda predicts at `step`, once values are forgotten that are barred, not finite, or kept by
        an old rung."""
        if self._stale:
            self.store.forget(key for key in self.store if key[0] not in LATENT)
            self.stand()
        if barred := self.agenda.barred:
            self.store.forget(key for key in self.store if key[0] in barred)
        predicted = self.agenda.predicted(step, self.merged)
        read = predicted or self.correcting or self.trying
        for kind in self.store.prove() if read else ():  # else the device need not be waited for
            self.demote(
                f"NaN or infinity in {kind.value}: not kept, and computed where there is nothing else to predict from"
            )
        return predicted

    @property
    def _time(self) -> float:
        return self.timeline.times[self.evaluation.step]

    def end(self, now: float | None = None) -> None:
        """Note the length of the running evaluation, which ends at `now` seconds."""
        last = self.evaluations[-1] if self.evaluations else None
        if last and not last.seconds:
            last.seconds = (time.perf_counter() if now is None else now) - last.started

    @contextmanager
    def trial(self, predicted: frozenset[Kind] | Sites) -> Iterator[None]:
        """The context of calls that predict `predicted`, kinds or sites, at the running evaluation. They are not
        counted and leave nothing behind."""
        own = self.evaluation
        sites = frozenset(each for each in predicted if isinstance(each, tuple))
        kinds = frozenset(each[0] if isinstance(each, tuple) else each for each in predicted)
        tried = kinds - self.agenda.barred
        self.evaluations[-1] = Evaluation(own.step, own.sigma, tried, own.started, trial=True, sites=sites or None)
        try:
            yield
        finally:
            self.evaluations[-1] = own

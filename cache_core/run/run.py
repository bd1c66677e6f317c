"""All state of one sampling: born when it starts, closed when it ends, kept nowhere else."""

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from ..plan import Plan
from ..predictor import REUSE
from ..site import MODULES, Kind
from ..store import afforded
from ..timeline import Timeline
from .calls import Call
from .embedded_pair import EmbeddedPair
from .evaluation import Evaluation, Tally
from .measured import Measured
from .memory import Memory
from .streams import Streams

MODEL_SITE = "model"


class Run(Memory):
    """The engine's memory for one sampling.

    `plans`: what to do; kinds may not overlap. `timeline`: the sampling. `outside`: see Store. Raises ConfigError if
    plans and timeline do not fit each other.

    Evaluations begin one after the other. Within one, several threads may call the model, each with conditionings of
    its own: what they share changes under `lock`; the model itself runs outside it.
    """

    def __init__(
        self,
        plans: tuple[Plan, ...],
        timeline: Timeline,
        outside: Callable[[], AbstractContextManager[object]] = nullcontext,
    ):
        super().__init__(plans, timeline, outside)
        self.plans, self.timeline, self.outside = plans, timeline, outside
        self.sites: dict[Kind, int] = dict.fromkeys(Kind, 1)  # sites of each kind in one call of the model
        self._streams, self._pair, self.measured = Streams(), EmbeddedPair(), Measured()
        self.reusing = False  # whether outputs are reused where the plans would extrapolate

    # Evaluations
    # -------------------------------------------------------------------------------------------------------

    def begin(self, sigma: float, now: float | None = None, computed: bool = False) -> Evaluation:
        """Start the next evaluation at `sigma` and take its one decision. `computed`: it predicts nothing, whatever
        the plans say."""
        self.end(now := time.perf_counter() if now is None else now)
        with self.lock:
            step = self.timeline.step_of(sigma)
            self._tidy(step)
            predicted = frozenset() if computed else self._predicted(step)
            self.evaluations.append(Evaluation(step, sigma, predicted, now))
            if Kind.MODEL in predicted and afforded(
                lambda: self._pair.must_compute(self._agenda.plan(Kind.MODEL), self.store, sigma), True
            ):
                self.evaluation.predicted = predicted - {Kind.MODEL}
            if Kind.MODEL not in self.evaluation.predicted:
                self._pair.computed()
            self.store.begin(self.evaluation.predicted)
            self.trials = self.trying if self.store.used else ()  # what to try at this evaluation
            return self.evaluation

    def _tidy(self, step: int) -> None:
        """Before a decision at `step`: forget what is no longer kept, or not finite."""
        if self._stale:
            self.store.forget(key for key in self.store if key[0] is not Kind.MODEL)
            self.stand()
        self.store.forget(key for key in self.store if key[0] in self._barred)
        read = self._predicted(step) or self.correcting or self.trying
        for kind in self.store.prove() if read else ():  # else the device need not be waited for
            self.demote(
                f"NaN or infinity in {kind.value}: not kept, and computed where there is nothing else to predict from"
            )

    def _predicted(self, step: int) -> frozenset[Kind]:
        predicted = self._agenda.predicted(step) - self._barred
        return predicted | {Kind.BLOCKS} if self.merged and predicted >= MODULES else predicted

    def end(self, now: float | None = None) -> None:
        """Close the running evaluation's clock."""
        if self.evaluations and not self.evaluation.seconds:
            self.evaluation.seconds = (time.perf_counter() if now is None else now) - self.evaluation.started

    @contextmanager
    def trial(self, predicted: frozenset[Kind]) -> Iterator[None]:
        """The context of calls that predict `predicted` at the running evaluation. They are not counted and leave
        nothing behind."""
        own = self.evaluation
        self.evaluations[-1] = Evaluation(own.step, own.sigma, predicted - self._barred, own.started, trial=True)
        try:
            yield
        finally:
            self.evaluations[-1] = own

    # Streams
    # -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def calling(
        self, conditionings: Sequence[Hashable], signature: Hashable, device: torch.device | None = None
    ) -> Iterator[None]:
        """The context of this thread's model call, whose rows belong to `conditionings`, in order.

        A conditioning that comes twice in one evaluation is two streams. `signature` is whatever the shapes inside
        the model depend on; when it changes the stream starts its history anew, which the report counts. `device`:
        where the model runs; what is kept of the conditionings is taken there.
        """
        with self.lock:
            whole, outer = self.evaluation, self._calls.here
            call = Call(tuple(self._stream(conditioning, signature, device) for conditioning in conditionings))
        try:
            with self._calls.underway(call):
                yield
        finally:
            with self.lock:
                (outer.tally if outer else whole).add(call.tally)

    def _stream(self, conditioning: Hashable, signature: Hashable, device: torch.device | None) -> int:
        taken = self._streams.take(conditioning, self.evaluation.taken, signature, device)
        if taken.replaced is not None:
            self.restarts += 1
            self.store.forget(key for key in self.store if key[2] == taken.replaced)
        if taken.moved and device is not None:
            self._bring(taken.stream, device)
        return taken.stream

    @property
    def tally(self) -> Tally:
        """Where this thread counts: its call underway."""
        return call.tally if (call := self._calls.here) else self.evaluation

    # Sites
    # -------------------------------------------------------------------------------------------------------------

    def enter(self, block: str, shapes: Sequence[torch.Size]) -> None:
        """The block at this path is about to be given tensors of these shapes: what was kept of it with others is forgotten."""
        call = self._calls.here
        if call is None:
            return
        with self.lock:
            changed = self.store.enter(block, call.streams, shapes)
        if changed:
            self.note(
                f"the shapes inside the model changed at step {self.evaluation.step}: its blocks start their "
                "histories anew"
            )

    def predicts(self, kind: Kind, *sites: str) -> bool:
        """Whether these sites are predicted in this call: the table says so and every stream has something to predict from."""
        call = self._calls.here
        if kind not in self.evaluation.predicted or call is None:
            return False
        return all((kind, site, stream) in self.store for site in sites for stream in call.streams)

    def predict(self, kind: Kind, site: str) -> Tensor:
        """The predicted value of `site`, a fresh tensor: callers may write into it."""
        sigma, call = self.evaluation.sigma, self._calls.here
        predictor = REUSE if self.reusing else self._agenda.plan(kind).predictor
        call.tally.predicted_calls[kind] += 1
        with self.lock:
            keys = [(kind, site, stream) for stream in call.streams]
            rows = [self.store.combine(key, predictor.weights(self.store[key].nodes, sigma)) for key in keys]
        return rows[0] if len(rows) == 1 else torch.cat(rows)

    def corrected(self, value: Tensor) -> Tensor:
        """The model's output `value`, just computed and remembered, as the plan corrects it for what its predictions
        have displaced."""
        plan, now = self.correcting, self.evaluation.sigma
        if plan is None or self.reusing:
            return value
        with self.lock:
            keys = [(Kind.MODEL, MODEL_SITE, stream) for stream in self._calls.here.streams]
            if any(key not in self.store or self.store[key].nodes[0] != now for key in keys):
                return value
            weights = [plan.predictor.correction(self.store[key].nodes) for key in keys]
            if not all(weights):
                return value
            return afforded(
                lambda: torch.cat([self.store.combine(key, w) for key, w in zip(keys, weights, strict=True)]), value
            )

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        """Count a computed value and keep a copy of each stream's rows, if a later step needs them. A thread that is
        in no call of this run keeps nothing: nobody knows whose value it is."""
        call = self._calls.here
        if call is None:
            return
        call.tally.computed_calls[kind] += 1
        self.measured.saw(kind, site, value, call.streams)
        if kind is Kind.MODEL:
            self._pair.node = self.evaluation.sigma
        if not self.keeps(kind) or value.shape[0] % len(call.streams):
            return
        if (kind, site) in call.remembered:
            self.bar({kind}, f"{site} is called more than once by the model: {kind.value} is computed")
            return
        call.remembered.add((kind, site))
        with self.lock:
            self._keep(kind, [(kind, site, stream) for stream in call.streams], value)

    def reuse(self, reason: str) -> None:
        """Reuse the last computed outputs from now on, where the plans would extrapolate or correct them, and say why."""
        if not self.reusing and any(plan.predictor.order > 1 for plan in self.plans):
            self.note(f"{reason}: outputs are reused, not extrapolated")
        self.reusing = True

    def close(self) -> None:
        """Drop every tensor; what happened stays."""
        self.end()
        with self.lock:
            self._barred = frozenset(
                Kind
            )  # a device's thread that an error elsewhere has left behind keeps nothing any more
            self.store.close()

"""All state of one sampling: born when it starts, closed when it ends, kept nowhere else."""

import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from .clock import Timeline
from .embedded import EmbeddedPair
from .evaluation import Evaluation
from .guard import guarded, moved_earlier
from .measured import Measured
from .plan import MIN_STEPS, Plan, table_of, uncached
from .remarks import Remarks
from .schedule import Table
from .site import MODULES, Kind, names
from .store import Budget, Footprint, Full, OutOfMemory, Store, afforded, coarser, ladder, megabytes, whole
from .streams import Streams

MODEL_SITE = "model"


class Run(Remarks):
    """The engine's memory for one sampling.

    `plans`: what to do; kinds may not overlap. `timeline`: the sampling. Raises ConfigError if they do not fit each other.
    """

    def __init__(self, plans: tuple[Plan, ...], timeline: Timeline):
        super().__init__([note for plan in plans for note in plan.notes])
        self.plans, self.timeline = plans, timeline
        self.evaluations: list[Evaluation] = []
        self.trying = tuple(dict.fromkeys(trial for plan in plans for trial in plan.trials))
        self._plan_of = {kind: plan for plan in plans for kind in plan.kinds}
        self.correcting = next((plan for plan in plans if plan.predictor.reach), None)  # the model's output, that is
        self._adopt(self._table())
        self.store = Store(whole(self.table) if self.trying else ladder(self.table, merge=any(plan.merge for plan in plans)))
        self.sites: dict[Kind, int] = dict.fromkeys(Kind, 1)  # sites of each kind in one call of the model
        self._streams, self._pair, self.measured = Streams(), EmbeddedPair(), Measured()
        self._call: tuple[int, ...] = ()
        self._remembered: set[tuple[Kind, str]] = set()  # in this call
        self._barred: set[Kind] = set()
        self._stale = False  # whether the rung has changed since the evaluation began

    def _table(self) -> Table:
        planned = table_of(self.plans, self.timeline)
        if self.timeline.steps >= MIN_STEPS:
            return planned
        self.note(f"{self.timeline.steps} steps leave nothing to predict (at least {MIN_STEPS} are needed): running uncached.")
        return uncached(self.plans, self.timeline)

    def _adopt(self, table: Table) -> None:
        self.table = table
        self._kept = [self._kept_at(step) for step in range(self.timeline.steps)]

    def _kept_at(self, step: int) -> frozenset[Kind]:
        if self.trying:
            return self.table.rows[step]
        kept = {k for k, plan in self._plan_of.items() if plan.adaptive or self.table.needed(step, k, plan.predictor.order)}
        return frozenset(kept | {Kind.MODEL} if self.correcting and self.correcting.kinds <= self.table.rows[step] else kept)

    # Memory ------------------------------------------------------------------------------------------------------------

    def fit(self, footprint: Footprint, budget: Budget) -> None:
        """Choose, before anything is kept, the first rung that fits `budget`, and note it; if none does, attention and MLP are computed."""
        if not footprint.whole:
            return
        if self.store.fit(footprint, budget):
            rung = self.store.rung
            self.note(f"cache: {footprint.needs(rung)} of {budget} allowed: {rung} ({megabytes(footprint.whole)} would keep every site)")
            self.stand()
        else:
            least = footprint.least(self.store.ladder)
            self.bar(MODULES, f"the cache needs {least} at least, and {budget} is allowed: attention and mlp are computed")

    def stand(self) -> None:
        """Keep by the store's rung from now on."""
        self._stale = False
        if self.store.rung.coarser:
            self._adopt(coarser(self.table))

    def _step_down(self, kind: Kind, reason: str) -> None:
        """Free what is kept of `kind` at once, and keep by the next rung from the next evaluation on; without one, stop caching it."""
        self.evaluation.predicted -= {kind}
        self.store.forget(key for key in self.store if key[0] is kind)
        where = f"{reason} at step {self.evaluation.step}"
        if kind is not Kind.MODEL and self.store.step_down():
            self._stale = True
            self.demote(f"{where}: from then on {self.store.rung}")
        else:
            kinds = {kind} if kind is Kind.MODEL else MODULES & self.table.kinds
            self.bar(kinds, f"{where}: from then on computed: {names(kinds)}")

    def give_way(self) -> bool:
        """Memory has run out in a model call: give up what is kept of its blocks, or else of its output, so that the call can be made once more,
        computed. False where the cache had no part in it, and in a trial, which would tell nothing."""
        blocks = {kind for kind in (*MODULES, Kind.BLOCKS) if self.keeps(kind)} | ({key[0] for key in self.store} - {Kind.MODEL})
        if self.evaluation.trial or not (blocks or self.evaluation.predicted):
            return False
        self.evaluation.predicted, self._remembered = frozenset(), set()
        self.store.forget(key for key in self.store if key[0] in blocks)
        self._step_down(next(iter(blocks), Kind.MODEL), "out of memory")
        return True

    # Evaluations -------------------------------------------------------------------------------------------------------

    @property
    def evaluation(self) -> Evaluation:
        return self.evaluations[-1]

    def begin(self, sigma: float, now: float | None = None) -> Evaluation:
        """Start the next evaluation at `sigma` and take its one decision."""
        self.end(now := time.perf_counter() if now is None else now)
        step = self.timeline.step_of(sigma)
        if self._stale:
            self.store.forget(key for key in self.store if key[0] is not Kind.MODEL)
            self.stand()
        self.store.forget(key for key in self.store if key[0] in self._barred)
        for kind in self.store.prove():
            self.demote(f"NaN or infinity in {kind.value}: not kept, and computed where there is nothing else to predict from")
        newest = [history for history in self.store.of(Kind.MODEL) if history.nodes[0] == self._pair.node]
        if afforded(lambda: guarded(self.plans, self.evaluations, newest), False):
            self._adopt(moved_earlier(self.table, step))
        predicted = self._predicted(step)
        self.evaluations.append(Evaluation(step, sigma, predicted, now))
        if Kind.MODEL in predicted and afforded(lambda: self._pair.must_compute(self._plan_of[Kind.MODEL], self.store, sigma), True):
            self.evaluation.predicted = predicted - {Kind.MODEL}
        if Kind.MODEL not in self.evaluation.predicted:
            self._pair.computed()
        self.store.begin(self.evaluation.predicted)
        self.trials = self.trying if self.store.used else ()  # what to try at this evaluation
        return self.evaluation

    def _predicted(self, step: int) -> frozenset[Kind]:
        predicted = frozenset() if self.trying else self.table.predicted(step) - self._barred
        return predicted | {Kind.BLOCKS} if self.merged and predicted >= MODULES else predicted

    def end(self, now: float | None = None) -> None:
        """Close the running evaluation's clock."""
        if self.evaluations and not self.evaluation.seconds:
            self.evaluation.seconds = (time.perf_counter() if now is None else now) - self.evaluation.started

    @contextmanager
    def trial(self, predicted: frozenset[Kind]) -> Iterator[None]:
        """The context of calls that predict `predicted` at the running evaluation. They are not counted and leave nothing behind."""
        own = self.evaluation
        self.evaluations[-1] = Evaluation(own.step, own.sigma, predicted - self._barred, own.started, trial=True)
        try:
            yield
        finally:
            self.evaluations[-1] = own

    # Streams -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def calling(self, conditionings: Sequence[Hashable], signature: Hashable) -> Iterator[None]:
        """The context of a model call whose rows belong to `conditionings`, in order.

        A conditioning that comes twice in one evaluation is two streams. `signature` is whatever the shapes inside the model
        depend on; when it changes the stream starts its history anew, which the report counts.
        """
        outer, streams = self._call, []
        for conditioning in conditionings:
            stream, replaced = self._streams.number(conditioning, self.evaluation.occurrences, signature)
            streams.append(stream)
            if replaced is not None:
                self.restarts += 1
                self.store.forget(key for key in self.store if key[2] == replaced)
        self._call, self._remembered = tuple(streams), set()
        try:
            yield
        finally:
            self._call = outer

    # Sites -------------------------------------------------------------------------------------------------------------

    def predicts(self, kind: Kind, *sites: str) -> bool:
        """Whether these sites are predicted in this call: the table says so and every stream has something to predict from."""
        if kind not in self.evaluation.predicted:
            return False
        return all((kind, site, stream) in self.store for site in sites for stream in self._call)

    @property
    def merged(self) -> bool:
        """Whether lists of blocks are sites of their own, in place of their attention and MLP."""
        return self.store.rung.merged

    def keeps(self, kind: Kind) -> bool:
        """Whether a value of `kind` computed now will be used."""
        kept = frozenset() if self.evaluation.trial or (self._stale and kind is not Kind.MODEL) else self._kept[self.evaluation.step] - self._barred
        return kept >= MODULES if kind is Kind.BLOCKS else kind in kept

    def predict(self, kind: Kind, site: str) -> Tensor:
        """The predicted value of `site`, a fresh tensor: callers may write into it."""
        predictor, sigma = self._plan(kind).predictor, self.evaluation.sigma
        self.evaluation.predicted_calls[kind] += 1
        keys = [(kind, site, stream) for stream in self._call]
        rows = [self.store.combine(key, predictor.weights(self.store[key].nodes, sigma)) for key in keys]
        return rows[0] if len(rows) == 1 else torch.cat(rows)

    def corrected(self, value: Tensor) -> Tensor:
        """The model's output `value`, just computed and remembered, as the plan corrects it for what its predictions have displaced."""
        plan, keys, now = self.correcting, [(Kind.MODEL, MODEL_SITE, stream) for stream in self._call], self.evaluation.sigma
        if plan is None or any(key not in self.store or self.store[key].nodes[0] != now for key in keys):
            return value
        weights = [plan.predictor.correction(self.store[key].nodes) for key in keys]
        if not all(weights):
            return value
        return afforded(lambda: torch.cat([self.store.combine(key, w) for key, w in zip(keys, weights, strict=True)]), value)

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        """Count a computed value and keep a copy of each stream's rows, if a later step needs them."""
        self.evaluation.computed_calls[kind] += 1
        self.measured.saw(kind, site, value, self._call)
        if kind is Kind.MODEL:
            self._pair.node = self.evaluation.sigma
        if not self.keeps(kind) or value.shape[0] % len(self._call):
            return
        if (kind, site) in self._remembered:
            self.bar({kind}, f"{site} is called more than once by the model: {kind.value} is computed")
            return
        self._remembered.add((kind, site))
        depth = self._plan(kind).depth(kind)
        try:
            for stream, rows in zip(self._call, value.chunk(len(self._call)), strict=True):
                self.store.push((kind, site, stream), self.evaluation.sigma, rows, depth)
        except OutOfMemory:
            self._step_down(kind, "out of memory")
        except Full:
            self._step_down(kind, "the cache passed its budget")

    def _plan(self, kind: Kind) -> Plan:
        return self._plan_of.get(Kind.ATTENTION if kind is Kind.BLOCKS else kind) or self.correcting

    # What went differently ---------------------------------------------------------------------------------------------

    def bar(self, kinds: Iterable[Kind], reason: str) -> None:
        """Compute `kinds` from the next decision on, and say why.

        What is kept of them goes when the next evaluation begins: a block underway may have decided to predict from it.
        """
        self._barred |= set(kinds) | ({Kind.BLOCKS} if MODULES & set(kinds) else set())
        self.demote(reason)

    def close(self) -> None:
        """Drop every tensor; what happened stays."""
        self.end()
        self.store.close()

"""All state of one sampling: born when it starts, closed when it ends, kept nowhere else."""

import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .clock import Timeline
from .history import History
from .plan import MIN_STEPS, Plan, table_of, uncached
from .schedule import Table
from .site import MODULES, Kind, names

MODEL_SITE = "model"
Key = tuple[Kind, str, int]  # kind and name of a site, number of a stream
OutOfMemory = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)


@dataclass
class Evaluation:
    """One evaluation of the denoiser: one decision for all its conditionings.

    `computed_calls`, `predicted_calls`: calls of sites. `block_calls`: calls of the model in which its blocks ran.
    """

    step: int
    sigma: float
    predicted: frozenset[Kind]
    started: float
    seconds: float = 0.0
    computed_calls: Counter[Kind] = field(default_factory=Counter)
    predicted_calls: Counter[Kind] = field(default_factory=Counter)
    block_calls: int = 0
    occurrences: Counter[Hashable] = field(default_factory=Counter)


class Run:
    """The engine's memory for one sampling.

    `plans`: what to do; kinds may not overlap. `timeline`: the sampling. Raises ConfigError if the plans do not fit each other
    or the timeline.
    """

    def __init__(self, plans: tuple[Plan, ...], timeline: Timeline):
        self.plans, self.timeline = plans, timeline
        self.notes: list[str] = []
        self.demotions: list[str] = []
        self.restarts = 0
        self.evaluations: list[Evaluation] = []
        self.bytes = self.peak_bytes = 0
        self.table = self._table()
        self._plan_of = {kind: plan for plan in plans for kind in plan.kinds}
        self._kept = [self._kept_at(step) for step in range(timeline.steps)]
        self.sites: dict[Kind, int] = dict.fromkeys(Kind, 1)  # sites of each kind in one call of the model
        self._histories: dict[Key, History] = {}
        self._streams: dict[Hashable, tuple[Hashable, int]] = {}
        self._serial = 0
        self._call: tuple[int, ...] = ()
        self._barred: set[Kind] = set()
        self._model_node = float("nan")  # where the model was last computed
        self._disagreement, self._in_a_row = 0.0, 0

    def _table(self) -> Table:
        planned = table_of(self.plans, self.timeline)
        if self.timeline.steps >= MIN_STEPS:
            return planned
        self.note(f"{self.timeline.steps} steps leave nothing to predict (at least {MIN_STEPS} are needed): running uncached.")
        return uncached(self.plans, self.timeline)

    def _kept_at(self, step: int) -> frozenset[Kind]:
        needed = self.table.needed
        return frozenset(k for k, plan in self._plan_of.items() if plan.adaptive or needed(step, k, plan.predictor.order))

    # Evaluations -------------------------------------------------------------------------------------------------------

    @property
    def evaluation(self) -> Evaluation:
        return self.evaluations[-1]

    def begin(self, sigma: float, now: float | None = None) -> Evaluation:
        """Start the next evaluation at `sigma` and take its one decision."""
        now = time.perf_counter() if now is None else now
        self.end(now)
        step = self.timeline.step_of(sigma)
        self._forget(key for key in self._histories if key[0] in self._barred)
        predicted = self.table.predicted(step) - self._barred
        self.evaluations.append(Evaluation(step, sigma, predicted, now))
        if Kind.MODEL in predicted and self._must_compute(sigma):
            self.evaluation.predicted = predicted - {Kind.MODEL}
        if Kind.MODEL not in self.evaluation.predicted:
            self._disagreement, self._in_a_row = 0.0, 0
        return self.evaluation

    def end(self, now: float | None = None) -> None:
        """Close the running evaluation's clock."""
        if self.evaluations and not self.evaluation.seconds:
            self.evaluation.seconds = (time.perf_counter() if now is None else now) - self.evaluation.started

    def _must_compute(self, sigma: float) -> bool:
        """The embedded pair's decision (schedule.Adaptive); False for a plan that is known beforehand."""
        plan = self._plan_of[Kind.MODEL]
        if plan.adaptive is None:
            return False
        self._disagreement += self._pair_distance(plan, sigma)
        self._in_a_row += 1
        return plan.adaptive.computes(self._disagreement, self._in_a_row - 1)

    def _pair_distance(self, plan: Plan, sigma: float) -> float:
        """||order k - order k-1|| / ||order k|| of the predictions at `sigma`, over the streams of the last computed evaluation; inf when
        there are too few samples."""
        high, low = plan.predictor.pair()
        histories = [h for (kind, *_), h in self._histories.items() if kind is Kind.MODEL and h.nodes[0] == self._model_node]
        if not histories or any(len(h.nodes) < 2 for h in histories):
            return float("inf")
        apart = size = 0.0
        for history in histories:
            value = history.combine(high.weights(history.nodes, sigma))
            apart = apart + (value - history.combine(low.weights(history.nodes, sigma))).square().sum(dtype=torch.float32)
            size = size + value.square().sum(dtype=torch.float32)
        return float((apart / size).sqrt())  # the one synchronisation of the evaluation

    # Streams -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def calling(self, conditionings: Sequence[Hashable], signature: Hashable) -> Iterator[None]:
        """The context of a model call whose rows belong to `conditionings`, in order.

        A conditioning that comes twice in one evaluation is two streams. `signature` is whatever the shapes inside the model
        depend on; when it changes the stream starts its history anew, which the report counts.
        """
        outer, occurrences, streams = self._call, self.evaluation.occurrences, []
        for conditioning in conditionings:
            occurrences[conditioning] += 1
            streams.append(self._stream((conditioning, occurrences[conditioning]), signature))
        self._call = tuple(streams)
        try:
            yield
        finally:
            self._call = outer

    def _stream(self, identity: Hashable, signature: Hashable) -> int:
        known = self._streams.get(identity)
        if known and known[0] == signature:
            return known[1]
        if known:
            self.restarts += 1
            self._forget(key for key in self._histories if key[2] == known[1])
        self._serial += 1
        self._streams[identity] = (signature, self._serial)
        return self._serial

    # Sites -------------------------------------------------------------------------------------------------------------

    def predicts(self, kind: Kind, *sites: str) -> bool:
        """Whether these sites are predicted in this call: the table says so and every stream has something to predict from."""
        if kind not in self.evaluation.predicted:
            return False
        return all((kind, site, stream) in self._histories for site in sites for stream in self._call)

    def keeps(self, kind: Kind) -> bool:
        """Whether a value of `kind` computed now will be used."""
        return kind in self._kept[self.evaluation.step] and kind not in self._barred

    def predict(self, kind: Kind, site: str) -> Tensor:
        """The predicted value of `site`, a fresh tensor: callers may write into it."""
        predictor, sigma = self._plan_of[kind].predictor, self.evaluation.sigma
        self.evaluation.predicted_calls[kind] += 1
        histories = [self._histories[kind, site, stream] for stream in self._call]
        rows = [h.combine(predictor.weights(h.nodes, sigma)) for h in histories]
        return rows[0] if len(rows) == 1 else torch.cat(rows)

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        """Count a computed value and keep a copy of each stream's rows, if a later step needs them."""
        self.evaluation.computed_calls[kind] += 1
        if kind is Kind.MODEL:
            self._model_node = self.evaluation.sigma
        if not self.keeps(kind) or value.shape[0] % len(self._call):
            return
        try:
            for stream, rows in zip(self._call, value.chunk(len(self._call)), strict=True):
                self._push((kind, site, stream), rows.clone())  # a copy: blocks write into what they are given and return
        except OutOfMemory:
            self.give_up(kind)

    def _push(self, key: Key, rows: Tensor) -> None:
        history = self._histories.get(key)
        if history is None:
            plan = self._plan_of[key[0]]
            history = self._histories[key] = History(max(plan.predictor.order, 2) if plan.adaptive else plan.predictor.order)
        self.bytes += history.push(self.evaluation.sigma, rows)
        self.peak_bytes = max(self.peak_bytes, self.bytes)

    def _forget(self, keys: Iterable[Key]) -> None:
        for key in list(keys):
            self.bytes -= self._histories.pop(key).bytes

    # What went differently ---------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Say something once, in the report."""
        if text not in self.notes:
            self.notes.append(text)

    def demote(self, text: str) -> None:
        """Say once that something is cached less than planned."""
        if text not in self.demotions:
            self.demotions.append(text)

    def bar(self, kinds: Iterable[Kind], reason: str) -> None:
        """Compute `kinds` from the next decision on, and say why.

        What is kept of them goes when the next evaluation begins: a block underway may have decided to predict from it.
        """
        self._barred |= set(kinds)
        self.demote(reason)

    def give_up(self, kind: Kind) -> None:
        """Stop caching `kind`, and with it all block sites, because memory ran out; free at once what was kept of `kind`."""
        self.evaluation.predicted -= {kind}
        self._forget(key for key in self._histories if key[0] is kind)
        kinds = MODULES & self.table.kinds if kind in MODULES else {kind}
        self.bar(kinds, f"out of memory while storing: from step {self.evaluation.step} on computed: {names(kinds)}")

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor the run holds."""
        for history in self._histories.values():
            yield from history.values

    def outlook(self) -> str:
        """What the table intends, in words."""
        shares = (f"{kind.value} computed at {len(self.table.computed(kind))}" for kind in sorted(self.table.kinds, key=lambda k: k.value))
        most = " at least" if any(plan.adaptive for plan in self.plans) else ""
        return ", ".join(f"{share}{most}" for share in shares) + f" of {self.timeline.steps} steps"

    def close(self) -> None:
        """Drop every tensor; what happened stays."""
        self.end()
        self._histories.clear()
        self._streams.clear()
        self.bytes = 0

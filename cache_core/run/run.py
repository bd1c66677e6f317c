"""All state of one sampling: born when it starts, closed when it ends, kept nowhere else."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from ..plan import Plan
from ..predictor import REUSE
from ..site import LATENT, Kind
from ..store import Key, afforded
from ..timeline import Timeline
from .calls import Call
from .evaluation import Tally
from .evaluations import Evaluations
from .measured import Measured
from .memory import Outside
from .streams import BlockShapes, Streams


def site_of(kind: Kind, place: int) -> str:
    """Name of the site that is the model's output, or the guidance, or one part of these, by its place."""
    return f"{kind.value}.{place}" if place else kind.value


def part_of(kind: Kind, site: str) -> int:
    """Place of the part of an output that a site is: a modality, a band; 0 for sites inside the model."""
    return int(site.rpartition(".")[2]) if kind in LATENT and "." in site else 0


class Run(Evaluations):
    """The engine's memory for one sampling.

    `plans`: their kinds may not overlap. `timeline`: the sampling. `outside`: see Store. Raises ConfigError if plans
    and timeline do not match.

    Evaluations begin one after the other. Within one, several threads may call the model, each with conditionings of
    its own: their common state changes under `lock`; the model itself runs outside it.
    """

    def __init__(self, plans: tuple[Plan, ...], timeline: Timeline, outside: Outside = nullcontext):
        super().__init__(plans, timeline, outside)
        self.plans, self.timeline, self.outside = plans, timeline, outside
        self.sites: dict[Kind, int] = dict.fromkeys(Kind, 1)  # sites of each kind in one call of the model
        self.measured = Measured()
        self.reusing = False  # whether outputs are reused where the plans would extrapolate
        self._streams, self._shapes = Streams(), BlockShapes()

    # Calls of the model
    # ---------------------------------------------------------------------------------------------------------------

    @contextmanager
    def calling(
        self, conditionings: Sequence[Hashable], signature: Hashable, device: torch.device | None = None
    ) -> Iterator[None]:
        """The context of this thread's model call, whose rows belong to `conditionings`, in order.

        A conditioning that comes twice in one evaluation is two streams. `signature`: everything that the shapes
        inside the model depend on; when it changes, the stream starts its history anew, which the report counts.
        `device`: where the model runs; the kept values of the conditionings are taken there.
        """
        with self.lock:
            evaluation, outer = self.evaluation, self._calls.here
            call = Call(tuple([self._stream(conditioning, signature, device) for conditioning in conditionings]))
        self._calls.enter(call)
        try:
            yield
        finally:
            self._calls.leave()
            with self.lock:
                (outer.tally if outer else evaluation).add(call.tally)

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
        """The counts of this thread: those of its call underway."""
        return call.tally if (call := self._calls.here) else self.evaluation

    # Sites
    # ---------------------------------------------------------------------------------------------------------------

    def enter(self, block: str, shapes: Sequence[torch.Size]) -> None:
        """Before the block at this path gets tensors of `shapes`, each `(B, ...)`: forget its values from others."""
        call = self._calls.here
        if call is None:
            return
        with self.lock:
            stale = self._shapes.changed(block, call.streams, shapes)
            if stale:
                self.store.forget(k for k in self.store if k[2] in stale and k[1].startswith(f"{block}."))
                self.note_new_shapes()

    def note_new_shapes(self) -> None:
        """Say that the blocks' histories start anew at this step."""
        self.note(
            f"the shapes inside the model changed at step {self.evaluation.step}: "
            "what was kept of its blocks is dropped"
        )

    def predicts(self, kind: Kind, *sites: str) -> bool:
        """True if these sites are predicted in this call: the table says so, and every stream has a value of each."""
        call = self._calls.here
        if kind not in self.evaluation.predicted or call is None:
            return False
        return all((kind, site, stream) in self.store for site in sites for stream in call.streams)

    def predict(self, kind: Kind, site: str) -> Tensor:
        """Predicted value `(B, ...)` of `site`, the rows of the call's streams in order: `sum_j w_j v_j` over its kept
        samples `v_j`, compensated where the plan does. A fresh tensor: callers may write into it."""
        call, keys = self._keys(kind, site)
        plan, sigma = self.agenda.plan(kind), self.evaluation.sigma
        planned = plan.predictor.of(part_of(kind, site))
        predictor = REUSE if self.reusing and planned.order > 1 else planned
        call.tally.predicted_calls[kind] += 1
        with self.lock:
            rows = [
                self.store.combine(key, self._verdict.weights(predictor, self.store[key].nodes, sigma)) for key in keys
            ]
            if plan.compensation and not self.reusing:
                nodes = [self.store[key].nodes[0] for key in keys]
                rows = [plan.compensation.applied(row, node, sigma) for row, node in zip(rows, nodes, strict=True)]
        return rows[0] if len(rows) == 1 else torch.cat(rows)

    def corrected(self, value: Tensor, modality: int = 0) -> Tensor:
        """The model's output `value` `(B, C, ...)`, or one modality of it, just computed and remembered, corrected by
        the plan for the displacement of its predictions: `sum_j w_j v_j`, `v_0` the newest. `value` itself where there
        is no correction."""
        plan = self.correcting
        if plan is None or self.reusing:
            return value
        with self.lock:
            _, keys = self._keys(Kind.MODEL, site_of(Kind.MODEL, modality))
            sigma = self.evaluation.sigma
            if any(key not in self.store or self.store[key].nodes[0] != sigma for key in keys):
                return value
            predictor = plan.predictor.of(modality)
            weights = [predictor.correction(self.store[key].nodes) for key in keys]
            if not all(weights):
                return value
            return afforded(lambda: torch.cat(list(map(self.store.combine, keys, weights))), value)

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        """Count a computed value `(B, ...)` and keep a copy of each stream's rows, if a later step needs them. A thread
        that is in no call of this run keeps nothing: the value's conditioning is unknown."""
        if self._calls.here is None:
            return
        call, keys = self._keys(kind, site)
        call.tally.computed_calls[kind] += 1
        self.measured.saw(kind, site, value, call.streams)
        if kind is Kind.MODEL:
            self._verdict.remembered(self.evaluation.sigma)
        if not self.keeps(kind) or value.shape[0] % len(keys):
            return
        if (kind, site) in call.remembered:
            self.bar({kind}, f"{site} is called more than once by the model: {kind.value} is computed")
            return
        call.remembered.add((kind, site))
        with self.lock:
            self._keep(kind, keys, value)

    def _keys(self, kind: Kind, site: str) -> tuple[Call, list[Key]]:
        """The call that this thread is in, and the keys of `site` in it, one for each stream."""
        call = self._calls.here
        if call is None:
            raise RuntimeError("A site was asked for outside a model call (Run.calling).")
        return call, [(kind, site, stream) for stream in call.streams]

    def reuse(self, reason: str) -> None:
        """Reuse the last computed outputs from now on, where plans would extrapolate or correct them, and say why."""
        if not self.reusing and any(plan.predictor.order > 1 or plan.compensation for plan in self.plans):
            self.note(f"{reason}: outputs are reused, not predicted")
        self.reusing = True

    def close(self) -> None:
        """Drop every tensor; the record of the run stays."""
        self.end()
        with self.lock:
            self.agenda.bar(Kind)  # a device's thread that an error elsewhere has left behind keeps nothing any more
            self.store.close()
            self._verdict.close()

"""What a run keeps, and what it does as memory runs out."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from ..plan import Plan, uncached, unfit
from ..schedule import Table
from ..site import MODULES, Kind, names
from ..store import Budget, Footprint, Full, Key, OutOfMemory, Store, afforded, coarser, ladder, megabytes, whole
from ..timeline import Timeline
from .agenda import Agenda
from .calls import Calls
from .evaluation import Evaluation
from .remarks import Remarks
from .shortfall import shortfalls

Outside = Callable[[], AbstractContextManager[object]]


class Memory(Remarks):
    """The part of a run that keeps values: its agenda, its store, and which kinds are computed after all (`barred`)."""

    def __init__(self, plans: tuple[Plan, ...], timeline: Timeline, outside: Outside):
        super().__init__([note for plan in plans for note in plan.notes])
        self.evaluations: list[Evaluation] = []
        self._agenda = Agenda(plans, timeline)
        self.trying, self.correcting = self._agenda.trying, self._agenda.correcting
        if reason := unfit(timeline):
            self.note(f"{reason}: running uncached.")
            self._agenda.adopt(uncached(plans, timeline))
        elif not self.trying:
            for said in shortfalls(plans, self.table, timeline):
                self.note(said)
        rungs = whole(self.table) if self.trying else ladder(self.table, merge=any(plan.merge for plan in plans))
        self.store = Store(rungs, outside)
        self._calls = Calls()
        self._barred: frozenset[Kind] = frozenset()
        self._stale = False  # whether the rung has changed since the evaluation began

    @property
    def evaluation(self) -> Evaluation:
        return self.evaluations[-1]

    @property
    def table(self) -> Table:
        """Kinds computed at each step."""
        return self._agenda.table

    @property
    def merged(self) -> bool:
        """Whether lists of blocks are sites of their own, in place of their attention and MLP."""
        return self.store.rung.merged

    def keeps(self, kind: Kind) -> bool:
        """Whether a value of `kind` computed now will be used."""
        if self.evaluation.trial or (self._stale and kind is not Kind.MODEL):
            return False
        kept = self._agenda.kept(self.evaluation.step) - self._barred
        return kept >= MODULES if kind is Kind.BLOCKS else kind in kept

    def fit(self, footprint: Footprint, budget: Budget, device: torch.device | None = None) -> None:
        """Choose, before anything is kept on `device`, the first rung that fits `budget` there, and note it; if none
        does, attention and MLP are computed. Without `device`: on the first one, before anything is kept at all."""
        if not footprint.whole or self._barred >= MODULES:
            return
        with self.lock:
            before, further = self.store.rung, device is not None
            if not self.store.fit(footprint, budget, device):
                least = footprint.least(self.store.ladder)
                self.bar(
                    MODULES,
                    f"the cache needs {least} at least, and {budget} is allowed: attention and mlp are computed",
                )
                return
            place = f"cache on {device}" if further else "cache"
            rung = self.store.rung
            self.note(
                f"{place}: {footprint.needs(rung)} of {budget} allowed: {rung} ({megabytes(footprint.whole)} would "
                "keep every site)"
            )
            if not further:
                self.stand()
            elif rung != before:
                self._stale = True  # other devices keep by the rung before it until the evaluation is over

    def stand(self) -> None:
        """Keep by the store's rung from now on."""
        self._stale = False
        if self.store.rung.coarser:
            self._agenda.adopt(coarser(self.table))

    def _step_down(self, kind: Kind, reason: str) -> None:
        """Free what is kept of `kind` at once, and keep by the next rung from the next evaluation on; without one,
        stop caching it."""
        self.evaluation.predicted -= {kind}
        self._free({kind})
        where = f"{reason} at step {self.evaluation.step}"
        if kind is not Kind.MODEL and self.store.step_down():
            self._stale = True
            self.demote(f"{where}: from then on {self.store.rung}")
        else:
            kinds = {kind} if kind is Kind.MODEL else MODULES & self.table.kinds
            self.bar(kinds, f"{where}: from then on computed: {names(kinds)}")

    def _free(self, kinds: Collection[Kind]) -> None:
        """Forget what is kept of `kinds`, but for what another thread's call may be about to predict from: that goes
        when the next evaluation begins."""
        used = self._calls.elsewhere()
        self.store.forget(key for key in self.store if key[0] in kinds and key[2] not in used)

    def give_way(self) -> bool:
        """Memory has run out in a model call: give up what is kept of its blocks, or else of its output, so that the
        call can be made once more, computed. False where the cache had no part in it, and in a trial, which would
        tell nothing."""
        with self.lock:
            blocks = {kind for kind in (*MODULES, Kind.BLOCKS) if self.keeps(kind)} | (
                {key[0] for key in self.store} - {Kind.MODEL}
            )
            if self.evaluation.trial or not (blocks or self.evaluation.predicted):
                return False
            self.evaluation.predicted = frozenset()
            if self._calls.here:
                self._calls.here.begin_again()
            self._free(blocks)
            self._step_down(next(iter(blocks), Kind.MODEL), "out of memory")
            return True

    def _bring(self, stream: int, device: torch.device) -> None:
        """Take what is kept of `stream` along to `device`, exactly; where there is no room for it, forget it."""
        keys = [key for key in self.store if key[2] == stream]
        if afforded(lambda: self.store.move(keys, device), False):
            self.moves += 1
        else:
            self.store.forget(keys)
            self.demote(
                f"no room on {device} for what was kept of a conditioning that moved there: it is computed anew"
            )

    def _keep(self, kind: Kind, keys: Sequence[Key], value: Tensor) -> None:
        """Keep the rows of a computed value that belong to each of `keys`, or step down where there is no room."""
        depth = self._agenda.plan(kind).depth(kind)
        try:
            for key, rows in zip(keys, value.chunk(len(keys)), strict=True):
                self.store.push(key, self.evaluation.sigma, rows, depth)
        except OutOfMemory:
            self._step_down(kind, "out of memory")
        except Full:
            self._step_down(kind, "the cache passed its budget")

    def bar(self, kinds: Iterable[Kind], reason: str) -> None:
        """Compute `kinds` from the next decision on, and say why.

        What is kept of them goes when the next evaluation begins: a block underway may have decided to predict from it.
        """
        with self.lock:
            self._barred = self._barred.union(kinds, {Kind.BLOCKS} if MODULES & set(kinds) else ())
            self.demote(reason)

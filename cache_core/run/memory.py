"""The values that a run keeps, and its answers when memory runs out."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from threading import RLock

import torch
from torch import Tensor

from ..plan import Plan, uncached, unfit
from ..schedule import Table
from ..site import BRANCHES, LATENT, MODULES, Kind, names
from ..store import Budget, Footprint, Full, Key, OutOfMemory, Store, afforded, coarser, ladder, megabytes, whole
from ..timeline import Timeline
from .agenda import Agenda
from .calls import Calls
from .evaluation import Evaluation
from .shortfall import shortfalls

Outside = Callable[[], AbstractContextManager[object]]


class Memory:
    """The part of a run that keeps values: its agenda and its store.

    `notes`: choices. `demotions`: what is cached less than planned. Each is said once, in the report. `restarts`: how
    often a history began anew because shapes had changed. `moves`: how often a conditioning took its past along to
    another device. `lock`: of everything that the calls of several threads share.
    """

    def __init__(self, plans: tuple[Plan, ...], timeline: Timeline, outside: Outside):
        self.notes, self.demotions = [note for plan in plans for note in plan.notes], list[str]()
        self.restarts, self.moves, self.lock = 0, 0, RLock()
        self.evaluations: list[Evaluation] = []
        self.agenda = Agenda(plans, timeline)
        self.trying, self.correcting = self.agenda.trying, self.agenda.correcting
        if reason := unfit(timeline):
            self.note(f"{reason}: running uncached.")
            self.agenda.adopt(uncached(plans, timeline))
        elif not self.trying:
            for shortfall in shortfalls(plans, self.table, timeline):
                self.note(shortfall)
        rungs = (
            whole(self.table)
            if self.trying or self.agenda.sites
            else ladder(self.table, merge=any(plan.merge for plan in plans))
        )
        self.store = Store(rungs, outside)
        self._calls = Calls()
        self._stale = False  # whether the rung has changed since the evaluation began

    def note(self, text: str) -> None:
        """Say `text` in the report, once."""
        with self.lock:
            if text not in self.notes:
                self.notes.append(text)

    def demote(self, text: str) -> None:
        """Say in the report, once, what is cached less than planned."""
        with self.lock:
            if text not in self.demotions:
                self.demotions.append(text)

    @property
    def evaluation(self) -> Evaluation:
        """The running evaluation, or the last one."""
        return self.evaluations[-1]

    @property
    def table(self) -> Table:
        """Kinds computed at each step."""
        return self.agenda.table

    @property
    def merged(self) -> bool:
        """True if lists of blocks are sites of their own, in place of their attention and MLP."""
        return self.store.rung.merged

    def keeps(self, kind: Kind) -> bool:
        """True if a value of `kind` computed now will be used."""
        if self.evaluation.trial or (self._stale and kind not in LATENT):
            return False
        return self.agenda.keeps(self.evaluation.step, kind)

    def bar(self, kinds: Iterable[Kind], reason: str) -> None:
        """Compute `kinds` from the next decision on, and say why.

        Their values go when the next evaluation begins: a block underway may have decided to predict from them.
        """
        with self.lock:
            self.agenda.bar(kinds)
            self.demote(reason)

    # Rungs
    # ---------------------------------------------------------------------------------------------------------------

    def choose_rung(self, footprint: Footprint, budget: Budget, device: torch.device | None = None) -> None:
        """Choose, before anything is kept on `device`, the first rung that `budget` holds, and note it; if it holds
        none, attention and MLP are computed. Without `device`: on the first one, before anything is kept at all."""
        if not footprint.whole or self.agenda.barred >= MODULES:
            return
        with self.lock:
            before = self.store.rung
            if not self.store.choose_rung(footprint, budget, device):
                least = footprint.least(self.store.ladder)
                self.bar(
                    MODULES,
                    f"the cache needs {least} at least, and {budget} is allowed: attention and mlp are computed",
                )
                return
            self._note_rung(footprint, budget, "cache" if device is None else f"cache on {device}")
            if device is None:
                self.stand()
            elif self.store.rung != before:
                self._stale = True  # other devices keep by the rung before it until the evaluation is over

    def _note_rung(self, footprint: Footprint, budget: Budget, cache: str) -> None:
        rung = self.store.rung
        everything = megabytes(footprint.whole)
        self.note(
            f"{cache}: {footprint.needs(rung)} of {budget} allowed: {rung} ({everything} would keep every output)"
        )

    def stand(self) -> None:
        """Keep by the store's rung from now on."""
        self._stale = False
        if self.store.rung.coarser:
            self.agenda.adopt(coarser(self.table))

    # Memory that runs out
    # ---------------------------------------------------------------------------------------------------------------

    def give_way(self) -> bool:
        """Memory has run out in a model call: drop the kept values of its blocks, or else of its output, so that the
        call can be made once more, computed. False where the cache had no part in it, and in a trial, which would
        tell nothing."""
        with self.lock:
            inside = [k for k in Kind if k not in LATENT and (self.keeps(k) or self.store.of(k))]
            branches = self.evaluation.predicted & BRANCHES  # left out already, and no part of a call of the model
            if self.evaluation.trial or not (inside or self.evaluation.predicted - branches):
                return False
            self.evaluation.predicted = branches
            if self._calls.here:
                self._calls.here.begin_again()
            self._free(inside)
            self._step_down(inside[0] if inside else Kind.MODEL, "out of memory")
            return True

    def _step_down(self, kind: Kind, reason: str) -> None:
        """Free the values of `kind` at once, and keep by the next rung from the next evaluation on; without one, stop
        caching it."""
        self.evaluation.predicted -= {kind}
        self._free({kind})
        where = f"{reason} at step {self.evaluation.step}"
        if kind not in LATENT and self.store.step_down():
            self._stale = True
            self.demote(f"{where}: from then on {self.store.rung}")
        else:
            kinds = {kind} if kind in LATENT else MODULES & self.table.kinds
            self.bar(kinds, f"{where}: from then on computed: {names(kinds)}")

    def _free(self, kinds: Collection[Kind]) -> None:
        """Forget the values of `kinds`, but for those that another thread's call may be about to predict from: they
        go when the next evaluation begins."""
        used = self._calls.elsewhere()
        self.store.forget(key for key in self.store if key[0] in kinds and key[2] not in used)

    def _bring(self, stream: int, device: torch.device) -> None:
        """Take the values of `stream` along to `device`, exactly; where there is no room for them, forget them."""
        keys = [key for key in self.store if key[2] == stream]
        if afforded(lambda: self.store.move(keys, device), False):
            self.moves += 1
        else:
            self.store.forget(keys)
            self.demote(
                f"no room on {device} for what was kept of a conditioning that moved there: it is computed anew"
            )

    def _keep(self, kind: Kind, keys: Sequence[Key], value: Tensor) -> None:
        """Keep the rows of a computed value `(B, ...)`, `B / len(keys)` under each of `keys` in order, or step down
        where there is no room."""
        depth = self.agenda.plan(kind).depth(kind)
        try:
            for key, rows in zip(keys, value.chunk(len(keys)), strict=True):
                self.store.push(key, self.evaluation.sigma, rows, depth)
        except OutOfMemory:
            self._step_down(kind, "out of memory")
        except Full:
            self._step_down(kind, "the cache passed its budget")

"""The choice of the rung: by an estimate at first, and for good by the bytes of the first computed evaluation."""

import torch

from ..site import LATENT, MODULES, Kind
from ..store import Budget, Footprint
from .run import Run


class RungChoice:
    """A run's choice, from before its first model call until the evaluation after it.

    `footprint`: the estimate. `fraction_seen`: bytes that the first evaluation computes, relative to those kept: other
    conditionings may come later. `devices`: the budget of each, in the order of their first calls; the first budget
    holds for all that are not named.
    """

    def __init__(self, run: Run, footprint: Footprint, fraction_seen: float = 1.0):
        self.run, self.footprint, self.fraction_seen = run, footprint, fraction_seen
        self.ladder, self.begun = run.store.ladder, len(run.evaluations)
        self.devices: dict[torch.device, Budget] = {}
        self.pending = run.measured.open = bool(footprint.whole)

    def allow(self, device: torch.device, budget: Budget) -> None:
        """Allow `budget` on `device`. Before the choice the estimate decides; a device that comes after it may change
        the rung for all."""
        store, further = self.run.store, device if self.devices else None
        self.devices[device] = budget
        if not self.pending:
            self.run.choose_rung(self.footprint, budget, further)
        elif not store.choose_rung(self.footprint, budget, further):
            # Values kept by the last rung may have to go again, but their bytes are known then.
            store.ladder = store.ladder[-1:]

    @property
    def ready(self) -> bool:
        """True if every value that is kept has been measured, or there is none."""
        return not self.pending or (bool(self.run.measured) and len(self.run.evaluations) > self.begun)

    def settle(self) -> None:
        """Choose for good, and note it. Values kept by another rung go, unless they are kept alike."""
        run, before = self.run, self.run.store.rung
        if not self.pending:
            return
        self.footprint, self.pending, run.measured.open = self.seen(), False, False
        if not any(key[0] not in LATENT for key in run.store):
            run.store.ladder = tuple(rung for rung in self.ladder if rung.merged or not run.measured.merged_only)
        run.store.budgets.clear()
        for number, (device, budget) in enumerate(self.devices.items()):
            run.choose_rung(self.footprint, budget, device if number else None)
        run.stand()  # at once: this is before the evaluation's first call
        if run.store.rung.merged != before.merged:
            run.store.forget(key for key in run.store if key[0] not in LATENT)

    def seen(self) -> Footprint:
        """Bytes that the run will keep, as the first evaluation showed them."""
        samples = {kind: self.run.agenda.samples(kind) for kind in (*MODULES, Kind.BLOCKS)}
        return self.run.measured.footprint(self.footprint, samples, self.fraction_seen)

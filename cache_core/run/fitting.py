"""The choice of the rung: by an estimate at first, and for good by what the first computed evaluation shows."""

from collections.abc import Hashable

from ..site import MODULES, Kind
from ..store import Budget, Footprint
from .run import Run


class Fitting:
    """A run's choice, from before its first model call until the evaluation after it. `footprint`: the estimate.
    `share_seen`: what the first evaluation computes, relative to what is kept: other conditionings may come later.
    `devices`: what each may hold, in the order in which their first calls came; the first budget holds for all that
    are not named."""

    def __init__(self, run: Run, footprint: Footprint, share_seen: float = 1.0):
        self.run, self.footprint, self.share_seen = run, footprint, share_seen
        self.ladder, self.begun = run.store.ladder, len(run.evaluations)
        self.devices: dict[Hashable, Budget] = {}
        self.pending = run.measured.open = bool(footprint.whole)

    def allow(self, device: Hashable, budget: Budget) -> None:
        """`device` may hold `budget`. Before the choice the estimate decides; a device that comes after it may
        change the rung for all."""
        run, first = self.run, not self.devices
        self.devices[device] = budget
        if not self.pending:
            run.fit(self.footprint, budget, None if first else device)
        elif not run.store.fit(self.footprint, budget, None if first else device):
            run.store.ladder = run.store.ladder[
                -1:
            ]  # what is kept by it may have to go, but it is told then how much it was

    @property
    def ready(self) -> bool:
        """Whether all that there is to keep has been seen, or there is nothing."""
        return not self.pending or (bool(self.run.measured) and len(self.run.evaluations) > self.begun)

    def settle(self) -> None:
        """Choose for good, and note it. What another rung has kept meanwhile goes, unless it fits."""
        run, before = self.run, self.run.store.rung
        if not self.pending:
            return
        self.footprint, self.pending, run.measured.open = self.seen(), False, False
        if not any(key[0] is not Kind.MODEL for key in run.store):
            run.store.ladder = tuple(rung for rung in self.ladder if rung.merged or not run.measured.alone)
        run.store.budgets.clear()
        for number, (device, budget) in enumerate(self.devices.items()):
            run.fit(self.footprint, budget, device if number else None)
        run.stand()  # at once: this is before the evaluation's first call
        if run.store.rung.merged != before.merged:
            run.store.forget(key for key in run.store if key[0] is not Kind.MODEL)

    def seen(self) -> Footprint:
        """Bytes that the run will keep, by what the first evaluation showed."""
        samples = {kind: samples_of(self.run, kind) for kind in MODULES}
        return self.run.measured.footprint(
            self.footprint, samples | {Kind.BLOCKS: max(samples.values())}, self.share_seen
        )


def samples_of(run: Run, kind: Kind) -> int:
    """Samples of a site of `kind` that the run holds at most at one time; 0 if it keeps none."""
    return max(
        (min(plan.depth(kind), len(kept_steps(run, kind))) for plan in run.plans if kind in plan.kinds), default=0
    )


def kept_steps(run: Run, kind: Kind) -> list[int]:
    """The steps whose values of `kind` the run keeps."""
    order = max((plan.predictor.order for plan in run.plans if kind in plan.kinds), default=0)
    return [step for step in range(run.timeline.steps) if order and (run.trying or run.table.needed(step, kind, order))]

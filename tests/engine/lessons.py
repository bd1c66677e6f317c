"""Calibrations of the lab's FLUX in tests: a bench that counts, and distances."""

from cache_core import OUTPUT, Extrapolation, Plan, Steps, evenly
from cache_core.calibrate import Ledger, Request, calibrate_output
from cache_core.saved_plan.saved_plan import Origin

STEPS = 16
REQUEST = Request(3, samples=2, budget=6)
SEEDS = range(6)  # of samples that no plan is fitted to


class Counting:
    """A bench that counts evaluations of its model, and samplings that were finished. `stop`: it is interrupted in the
    sampling after so many."""

    def __init__(self, bench, stop=None):
        self.bench, self.timeline, self.stop = bench, bench.timeline, stop
        self.evaluations = self.finished = 0

    def sample(self, *args, **kwargs):
        handle = self.bench.model.register_forward_pre_hook(self._count)
        try:
            latent = self.bench.sample(*args, **kwargs)
        finally:
            handle.remove()
        self.finished += 1
        return latent

    def _count(self, *_):
        if self.finished == self.stop:
            raise InterruptedError
        self.evaluations += 1


def calibrated(bench, request=REQUEST, folder=None, keep=lambda plan: None, told=lambda *row: None):
    return calibrate_output(Ledger(bench, request.budget, folder, told), Origin("Flux"), request, keep)


def apart(a, b):
    return float((a - b).norm() / b.norm())


def drift(bench, plan, seeds=SEEDS):
    """Mean distance of a plan's samples of other seeds, each to its uncached one."""
    drawn = bench.drawn(seeds)
    cached, plain = bench.run(*drawn, (plan,)), bench.run(*drawn)
    return sum(map(apart, cached, plain)) / len(seeds)


def even(count):
    """Even steps, the others by order 2."""
    return Plan(Steps(OUTPUT, evenly(STEPS, count)), Extrapolation(2))

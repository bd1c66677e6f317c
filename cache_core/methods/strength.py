"""Shares of a sampling's evaluations that plans save, and the threshold that saves as much as is asked for."""

from ..plan import Plan
from ..timeline import Timeline
from .method import Method, Sampling


def reused_share(plan: Plan, timeline: Timeline) -> float:
    """Share of the evaluations that a plan saves, by the model's work: of all steps those that compute none of its
    kinds count whole, those that compute one of two half, and those that compute one branch of the guidance half."""
    table = plan.schedule.table(timeline)
    return 1 - table.work / len(table.rows)


def saved_share(plan: Plan, sampling: Sampling) -> float:
    """Share of the evaluations that a plan saves, counted by the blocks, or the sites of them, that it reuses."""
    if not plan.sites:
        return reused_share(plan, sampling.timeline) * sampling.variant.share(plan.ranges)
    table, every = plan.schedule.table(sampling.timeline), 2 * sum(count for _, count in sampling.variant.lists)
    named = (len(own) for own, row in zip(plan.sites, table.rows, strict=True) if row != table.kinds)
    return sum(named) / (every * len(table.rows)) if every else 0.0


def at_strength(method: Method, sampling: Sampling, strength: float) -> float:
    """The least threshold whose plan saves the share of evaluations that is nearest to `strength`; of two as near the
    more careful. For a plan that decides during the run it is an estimate (Method.share). Where some blocks run at
    every step, an evaluation counts by the share of the others."""

    def share(threshold: float) -> float:
        estimate, plan = method.share(sampling, threshold), method.plan(sampling, threshold)
        return saved_share(plan, sampling) if estimate is None else estimate * sampling.variant.share(plan.ranges)

    shares = [(value, share(value)) for value in method.threshold.grid]
    return min(shares, key=lambda pair: (round(abs(pair[1] - strength), 9), pair[1], pair[0]))[0]

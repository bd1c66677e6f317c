"""How Cache Calibrate finds a plan for either site, and what it shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..cache_core.calibrate import Allowance, Calibrated, Memo, Recording, Request, calibrate
from ..cache_core.calibrate.exposure import exposure, exposure_cost
from ..cache_core.calibrate.feb import LEAST_BUDGET, FebReport, Laboratory, choose, fastest, measure
from ..cache_core.errors import check_range
from ..cache_core.saved_plan.file import save
from ..cache_core.saved_plan.saved_plan import SavedPlan
from ..cache_core.show.chart import Drawing, Panel, Strip
from ..cache_core.show.run_chart import reuse_errors
from ..cache_core.show.timeline import COMPUTED, PREDICTED, REUSED
from .comfy.attach import require_blocks
from .comfy.bench import ComfyBench

OUTPUT_SITE, MODULES_SITE = "model output", "attention and MLP"
SHOWN = 8  # plans that were tried, in the report
MOST_SHARE = 0.35  # of the budget, for the exposure bias


@dataclass(frozen=True)
class Work:
    """What a calibration needs. `best`: where the best plan so far is saved, should it be interrupted."""

    bench: ComfyBench
    request: Request
    memo: Memo
    allowance: Allowance
    best: Path

    @property
    def exposes(self) -> bool:
        """Whether the budget leaves room for the exposure bias."""
        return exposure_cost(self.request.speedup) <= MOST_SHARE * self.request.budget

    def searching(self) -> Allowance:
        """The allowance, less what the exposure bias will take."""
        reserved = exposure_cost(self.request.speedup) if self.exposes else 0.0
        whole = self.allowance
        return Allowance(
            whole.total - reserved, lambda share, doing: whole.say(doing, share * (whole.total - reserved))
        )


@dataclass(frozen=True)
class Found:
    """A plan, and what is to be said and drawn of it."""

    plan: SavedPlan
    lines: list[str]
    parts: list[Drawing]


def find_output_plan(work: Work) -> Found:
    """For AB-Cache Apply."""
    searching = work.searching()
    request = replace(work.request, budget=searching.total)
    found = calibrate(
        work.bench, work.bench.origin(), request, work.memo, searching, lambda plan: save(plan, work.best)
    )
    work.allowance.spend(searching.spent)
    shown = {
        attempt.name: attempt.drifts
        for attempt in (found.best, *(a for a in found.attempts if a.name in ("planned", "even, order 2")))
    }
    drifts = Panel("relative L2 distance of the latent to the uncached one, before each step", shown, log=True)
    return Found(
        found.plan,
        _said(found, work.request),
        [*_strips(found.plan), drifts, *_exposed(work, found.plan, found.recording)],
    )


def find_modules_plan(work: Work) -> Found:
    """For FEB-Cache Apply. Raises ConfigError for a budget below 12, HostError for a model without such blocks."""
    require_blocks(work.bench.model)
    check_range(f"calibration_budget for {MODULES_SITE}", work.request.budget, LEAST_BUDGET, 1000)
    searching = work.searching() if work.searching().total >= LEAST_BUDGET else work.allowance
    lab = Laboratory(work.bench, searching, work.memo)
    measured = measure(lab, work.request.samples, clock=work.bench.clock)
    speedup = fastest(lab, measured, work.request.drift) if work.request.drift else work.request.speedup
    plan, report = choose(
        lab, measured, work.bench.origin(), speedup, work.bench.alpha, lambda plan: save(plan, work.best)
    )
    exposed = []
    if searching is not work.allowance:
        work.allowance.spend(searching.spent)
        exposed = _exposed(work, plan, lab.passes[0].trials.recording)
    return Found(
        plan,
        [*_missed(plan, work.request), *_compared(report)],
        [*_strips(plan), *reuse_errors(report.curves), *exposed],
    )


def made_before(plan: SavedPlan, name: str) -> Found:
    """A plan that was made from the very same inputs."""
    return Found(
        plan,
        [f"made before, from the same inputs; delete {name} in models/cache_plans to calibrate anew"],
        [*_strips(plan), *(reuse_errors(plan.curves) if plan.curves else [])],
    )


FINDERS = {OUTPUT_SITE: find_output_plan, MODULES_SITE: find_modules_plan}


def _said(found: Calibrated, request: Request) -> list[str]:
    """What differs from what was asked, and what was tried."""
    lines = []
    if found.samples < request.samples:
        lines.append(f"{found.samples} of {request.samples} samples were recorded, as many as the budget allows")
    return [
        *lines,
        *_missed(found.plan, request),
        *_tried([(attempt.drift, attempt.name) for attempt in found.attempts]),
    ]


def _missed(plan: SavedPlan, request: Request) -> list[str]:
    return (
        [f"no plan with less drift than {request.drift:g} was found"]
        if request.drift and plan.drift > request.drift
        else []
    )


def _compared(report: FebReport) -> list[str]:
    costs = report.costs
    lines = [
        f"a step that reuses attention takes {costs.attention:.0%} of a computed one here, the MLP {costs.mlp:.0%}, "
        f"both {costs.both:.0%}, both "
        f"merged {costs.merged:.0%}"
    ]
    if report.scale is not None:
        kept = "kept" if report.scaled < report.unscaled else "left off"
        lines.append(
            f"noise scale {report.scale.high:.4g} / {report.scale.low:.4g}: drift {report.unscaled:.4f} without, "
            f"{report.scaled:.4f} with "
            f"it; {kept}"
        )
    return [*lines, *_tried([(found.drift, f"{found.name}, {found.speedup:.2f}x") for found in report.compared])]


def _tried(found: Sequence[tuple[float, str]]) -> list[str]:
    return ["tried, by drift:", *(f"  {drift:.4f}  {name}" for drift, name in sorted(found)[:SHOWN])]


def _strips(plan: SavedPlan) -> list[Strip]:
    filled = REUSED if plan.order == 1 else PREDICTED
    return [
        Strip(kind.value, [COMPUTED if kind in row else filled for row in plan.table.rows])
        for kind in sorted(plan.table.kinds, key=lambda kind: kind.value)
    ]


def _exposed(work: Work, plan: SavedPlan, uncached: Recording) -> list[Panel]:
    """Exposure bias, where the budget leaves room for it."""
    if not work.exposes:
        return []

    def doing(name: str, cost: float) -> None:
        work.allowance.say(name)
        work.allowance.spend(cost)

    sizes = exposure(work.bench, plan.plan(work.bench.timeline, "calibration"), uncached, work.bench.alpha, doing)
    return [Panel("exposure bias: root mean square of the predicted noise", sizes)]

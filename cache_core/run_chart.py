"""What there is to draw of a finished run: its timeline, the scale of its noise, and the errors that its plan was made from."""

from collections.abc import Sequence
from math import nan

from . import timeline_view as view
from .cache_plan import CachePlan
from .chart import Panel, Part, Strip, lines
from .curves import BANDS, REUSED, STAGES, Curves
from .predictor import same
from .report import RunReport
from .run import Run


def drawn_of(run: Run, report: RunReport, plans: Sequence[CachePlan]) -> tuple[Part, ...]:
    """Parts for `chart.picture`. `plans`: those that the run went by, given or learned. Numbers and words only."""
    boundary = view.boundary(run)
    title = f"{report.name} on {report.model}, {report.steps} steps: {report.summary()[0]}"
    strips = [Strip(kind, states, boundary) for kind, states in view.done(run).items()]
    scale = view.noise_scale(run)
    scaled = [Panel("noise scale: factor on the predicted noise, by step", {"scale": scale})] if scale else []
    errors = [panel for plan in plans for panel in (*_expected(run, plan), *(reuse_errors(plan.curves) if plan.curves else ()))]
    return (*lines(title), *strips, *scaled, *errors)


def reuse_errors(curves: Curves) -> list[Panel]:
    """Errors of reuse, by stage and frequency band."""
    return [Panel(f"relative error of reuse: {stage}, {band} frequencies", {name: curves.of(stage, name, band) for name in REUSED},
                  unit="steps since it was computed", start=1) for stage in STAGES for band in BANDS]


def _expected(run: Run, plan: CachePlan) -> list[Panel]:
    """The errors at computed steps, as they were when the plan was made; none where the plan has been moved to other steps."""
    if not plan.expected or not plan.schedule.fits(run.timeline):
        return []
    errors = [next((error for node, error in plan.expected if same(node, sigma)), nan) for sigma in run.timeline.sigmas[:-1]]
    return [Panel("error at each computed step, when the plan was made: relative L2 distance to order 2", {"expected": errors})]

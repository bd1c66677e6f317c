"""Drawings of a finished run: its timeline, the scale of its noise, and the errors that its plan was made from."""

from collections.abc import Sequence

from ..run.run import Run
from ..saved_plan.curves import BANDS, REUSED, STAGES, Curves
from ..saved_plan.saved_plan import SavedPlan
from . import timeline as view
from .chart import Drawing, Panel, Strip, lines
from .report import RunReport


def drawn_of(run: Run, report: RunReport, plans: Sequence[SavedPlan]) -> tuple[Drawing, ...]:
    """Parts for `chart.picture`, without tensors. `plans`: the saved ones that the run used, given or learned."""
    boundary = view.boundary(run)
    title = f"{report.name} on {report.model}, {report.steps} steps: {report.headline()}"
    strips = [Strip(kind, states, boundary) for kind, states in view.done(run).items()]
    scale = view.noise_scale(run)
    scaled = [Panel("noise scale: factor on the predicted noise, by step", {"scale": scale})] if scale else []
    errors = [panel for plan in plans if plan.curves for panel in reuse_errors(plan.curves)]
    return (*lines(title), *strips, *scaled, *errors)


def reuse_errors(curves: Curves) -> list[Panel]:
    """Panels of the relative errors of reuse, one for each stage and frequency band."""
    return [
        Panel(
            f"relative error of reuse: {stage}, {band} frequencies",
            {name: curves.of(stage, name, band) for name in REUSED},
            unit="steps since it was computed",
            start=1,
        )
        for stage in STAGES
        for band in BANDS
    ]

"""The settings that count for a node in the next run, as far as they are known."""

from __future__ import annotations

from dataclasses import dataclass

from ...cache_core.saved_plan.saved_plan import SavedPlan
from ...cache_core.settings import Settings


@dataclass(frozen=True)
class Settled:
    """The settings that count for a node in the next run. `plan`: the saved one among them. `learns`: the speed-up that
    the run after it will have, where it is learned from, 1 if that is not known, 0 where nothing is learned. `left`:
    learning is on, but the widgets were moved. `note`: a sentence. `unknown`: True where nothing is known of single
    steps."""

    settings: Settings
    plan: SavedPlan | None = None
    learns: float = 0.0
    left: bool = False
    note: str = ""
    unknown: bool = False

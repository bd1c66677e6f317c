"""The base of FEB-Cache Apply and AB-Cache Apply."""

from typing import Any

from ..cache_core.saved_plan.saved_plan import SavedPlan
from ..cache_core.settings import Settings, WidgetSettings
from .comfy.attach import attach
from .comfy.mailbox import Mailbox
from .comfy.weights import fingerprint
from .page.last_runs import page_timeline


class ApplyNode:
    """An Apply node. `SETTINGS`: the class of its settings."""

    SETTINGS: type[WidgetSettings]
    CATEGORY = "model_patches/acceleration"
    RETURN_TYPES, RETURN_NAMES = ("MODEL", "REPORT"), ("model", "report")
    OUTPUT_TOOLTIPS = (
        "The model with the cache attached; the one you put in stays as it is.",
        "For Cache Report: what happened in the run.",
    )
    FUNCTION = "apply"

    def apply(
        self, model: Any, preset: str, plan: SavedPlan | None = None, node_id: str = "", **given: Any
    ) -> tuple[object, Mailbox]:
        """A clone of `model` with the cache on it, and the mailbox for its reports."""
        mailbox = Mailbox(page_timeline(node_id, type(self).__name__))
        if plan is None:
            settings: Settings = self.SETTINGS.of(preset, {**self.SETTINGS.beside, **given})
        else:
            settings = self.planned(plan, model, given.get("memory", 0.0))
        return attach(model, settings, mailbox), mailbox

    @classmethod
    def planned(cls, plan: SavedPlan, model: Any, memory: float = 0.0) -> Settings:
        """The settings of a node with a plan. Raises ConfigError for a plan of another model, or of other kinds."""
        settings = cls.SETTINGS.of_plan(plan, memory)
        plan.check_model(type(model.model.diffusion_model).__name__, fingerprint(model) if plan.origin.weights else "")
        return settings

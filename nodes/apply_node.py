"""The base of FEB-Cache Apply and AB-Cache Apply."""

from typing import Any

from ..cache_core.errors import ConfigError
from ..cache_core.saved_plan.saved_plan import SavedPlan
from ..cache_core.settings import Settings, WidgetSettings
from ..cache_core.settings.presets import OFF
from .comfy.attach import attach
from .comfy.mailbox import Mailbox
from .comfy.weights import fingerprint
from .page.last_runs import page_timeline

NO_SECOND = (
    "The output model_2 is connected, and the input model_2 of the same node is not. Connect the second model to "
    "it, such as the low-noise one, or use the output model."
)


class ApplyNode:
    """An Apply node. `SETTINGS`: the class of its settings."""

    SETTINGS: type[WidgetSettings]
    CATEGORY = "model/patch"
    RETURN_TYPES, RETURN_NAMES = ("MODEL", "REPORT", "MODEL"), ("model", "report", "model_2")
    OUTPUT_TOOLTIPS = (
        "The model with the cache attached; the one you put in stays as it is.",
        "For Cache Report: what happened in the run.",
        "The second model with the cache attached, for the sampler that takes over, or for the guider's other model.",
    )
    FUNCTION = "apply"

    def apply(
        self, model: Any, preset: str, node_id: str = "", model_2: Any = None, **given: Any
    ) -> tuple[object, Mailbox, object]:
        """A clone of `model` with the cache on it, the mailbox for reports, and a clone of `model_2` in the same
        way. With the preset `off` the models as they are, and a mailbox that says so."""
        if preset == OFF:
            second = blocked(NO_SECOND) if model_2 is None else model_2
            return model, Mailbox(off=f"{self.SETTINGS.title} is off"), second
        name = type(self).__name__
        mailbox = Mailbox(page_timeline(node_id, name))
        first = attach(model, self.settings(model, preset, **given), mailbox)
        if model_2 is None:
            return first, mailbox, blocked(NO_SECOND)
        try:
            settings = self.settings(model_2, preset, **given)
        except ConfigError as error:
            raise ConfigError(f"model_2: {error} A plan is for one model: give each a node of its own.") from error
        return first, mailbox, attach(model_2, settings, Mailbox(page_timeline(node_id, name, 1), mailbox))

    def settings(self, model: Any, preset: str, plan: SavedPlan | None = None, **given: Any) -> Settings:
        """The settings for `model`. Raises ConfigError as `planned` does, and for widgets that cannot be run."""
        if plan is not None:
            return self.planned(plan, model, given.get("memory", 0.0))
        return self.SETTINGS.of(preset, {**self.SETTINGS.beside, **given})

    @classmethod
    def planned(cls, plan: SavedPlan, model: Any, memory: float = 0.0) -> Settings:
        """The settings of a node with a plan. Raises ConfigError for a plan of another model, or of other kinds."""
        settings = cls.SETTINGS.of_plan(plan, memory)
        plan.check_model(type(model.model.diffusion_model).__name__, fingerprint(model) if plan.origin.weights else "")
        return settings


def blocked(message: str) -> object:
    """An output that stops each node that it goes into, with this message; None outside ComfyUI."""
    try:
        from comfy_execution.graph import ExecutionBlocker
    except ImportError:
        return None
    return ExecutionBlocker(message)

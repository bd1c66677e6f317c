"""Cache Plan Load, Save and Info."""

from ..cache_core.errors import ConfigError
from ..cache_core.saved_plan.file import load, save
from ..cache_core.saved_plan.saved_plan import SavedPlan
from .comfy import plan_folder
from .widgets import inputs

TOOLTIPS = {
    "plan_name": "A file in models/cache_plans, where plans learned by AB-Cache Apply are, too. bundled/...: published "
    "lists of steps that come with this pack.",
    "plan": "A plan, from Cache Plan Load or Cache Calibrate.",
    "name": "File name, without folder. A plan of this name is replaced.",
}


class CachePlanLoad:
    """The node Cache Plan Load."""

    CATEGORY = "model/patch"
    SEARCH_ALIASES = ["load plan", "cache schedule"]
    DESCRIPTION = (
        "Loads a plan: which steps to compute and how to predict the others, made for one model and sampling. Connect "
        "it to the plan input of AB-Cache Apply or FEB-Cache Apply."
    )
    RETURN_TYPES, RETURN_NAMES = ("CACHE_PLAN",), ("plan",)
    OUTPUT_TOOLTIPS = ("The plan, for the plan input of AB-Cache Apply or FEB-Cache Apply.",)
    FUNCTION = "load"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return inputs(TOOLTIPS, required={"plan_name": (plan_folder.available(),)})

    @classmethod
    def IS_CHANGED(cls, plan_name: str) -> float:
        """A value that changes with the file."""
        path = plan_folder.find(plan_name)
        return path.stat().st_mtime if path.is_file() else 0.0

    def load(self, plan_name: str) -> tuple[SavedPlan]:
        """The plan in a file of models/cache_plans."""
        return (load(plan_folder.find(plan_name)),)


class CachePlanSave:
    """The node Cache Plan Save."""

    CATEGORY = "model/patch"
    SEARCH_ALIASES = ["save plan", "export plan"]
    DESCRIPTION = "Saves a plan to models/cache_plans, where Cache Plan Load finds it."
    RETURN_TYPES, RETURN_NAMES = ("CACHE_PLAN",), ("plan",)
    OUTPUT_TOOLTIPS = ("The plan, unchanged.",)
    FUNCTION, OUTPUT_NODE = "save", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        required = {"plan": ("CACHE_PLAN",), "name": ("STRING", {"default": "my_plan"})}
        return inputs(TOOLTIPS, required=required)

    def save(self, plan: SavedPlan, name: str) -> dict:
        """The name under which the plan was saved."""
        path = plan_folder.path_of(name.strip().removesuffix(plan_folder.SUFFIX) + plan_folder.SUFFIX)
        try:
            save(plan, path)
        except OSError as error:
            raise ConfigError(
                f"{path.name} could not be saved: {error}. Choose another name, or make models/{plan_folder.FOLDER} "
                f"writable."
            ) from error
        return {"ui": {"text": (f"saved as {path.name}",)}, "result": (plan,)}


class CachePlanInfo:
    """The node Cache Plan Info."""

    CATEGORY = "model/patch"
    SEARCH_ALIASES = ["show plan", "inspect plan"]
    DESCRIPTION = (
        "What is in a plan: the model it is for, the steps it computes, its speed-up, and how near it comes to the "
        "uncached picture."
    )
    RETURN_TYPES, RETURN_NAMES = ("STRING",), ("text",)
    OUTPUT_TOOLTIPS = ("The description, as text.",)
    FUNCTION, OUTPUT_NODE = "read", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        return inputs(TOOLTIPS, required={"plan": ("CACHE_PLAN",)})

    def read(self, plan: SavedPlan) -> dict:
        """The content of a plan, as text."""
        return {"ui": {"text": (plan.text(),)}, "result": (plan.text(),)}

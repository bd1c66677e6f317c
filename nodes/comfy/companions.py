"""Models that a guider calls beside its own, as ComfyUI's DualModelGuider does for the negative conditioning.

Such a guider asks the wrappers of its first model alone, for every call of either model.
"""

from __future__ import annotations


def companions(guider) -> tuple:
    """The ModelPatchers that a guider holds beside its own."""
    from comfy.model_patcher import ModelPatcher

    held = {id(value): value for value in vars(guider).values() if isinstance(value, ModelPatcher)}
    held.pop(id(guider.model_patcher), None)
    return tuple(held.values())


def others_of(guider) -> dict[int, int]:
    """The number of each model that is another one than the guider's own, by its id."""
    models = {id(patcher.model): None for patcher in companions(guider)}
    models.pop(id(guider.model_patcher.model), None)
    return {model: number for number, model in enumerate(models, start=1)}

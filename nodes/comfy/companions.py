"""Models that a guider calls beside its own, as ComfyUI's DualModelGuider does for the negative conditioning.

Such a guider asks the wrappers of its first model alone, for every call of either model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import KEY

if TYPE_CHECKING:
    from .mailbox import Mailbox


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


def reported(guider, mailboxes: tuple[Mailbox, ...]) -> tuple[tuple[Mailbox, ...], str]:
    """Everybody who gets the report of a sampling: these mailboxes, and those of companions with Apply nodes of their
    own; and a note on the companions, empty where there are none."""
    from comfy.patcher_extension import WrappersMP

    beside = companions(guider)
    if not beside or getattr(guider, "cfg", None) == 1.0:  # then the negative conditioning is left out
        return mailboxes, ""
    attachments = [w.__self__ for p in beside for w in p.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY)]
    known = {id(mailbox.letters) for mailbox in mailboxes}
    more = {id(box.letters): box for own in attachments for box in own.mailboxes if id(box.letters) not in known}
    names = ", ".join(type(patcher.model.diffusion_model).__name__ for patcher in beside)
    ignored = "; its own cache node is not asked" if more else ""
    note = f"the guider runs a second model ({names}): it is cached as the first one is, from its own outputs{ignored}"
    return (*mailboxes, *more.values()), note

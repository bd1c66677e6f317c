"""Names of the files of learned plans, for people; the key that they are found by comes last."""

from __future__ import annotations

import re
from pathlib import Path

from ...cache_core.saved_plan.saved_plan import SavedPlan

Subject = tuple[str, str]  # a model's name, and the size of what it makes, in words
LONGEST = 40  # characters of one part of a name


def subject_of(patcher, shape) -> Subject:
    """The name of a model (a ComfyUI ModelPatcher), of its file where that is known, and the size in pixels of latents
    of this shape."""
    loaded = getattr(patcher, "cached_patcher_init", None) or (None, ())  # how core's loaders can load it again
    files = [Path(given).stem for given in loaded[1] if isinstance(given, str)]
    return (files or [type(patcher.model.diffusion_model).__name__])[0], _size(patcher.model, shape)


def _size(model, shape) -> str:
    """Width, height and frames in pixels; latent positions where they are no picture's or video's."""
    form, axes = getattr(model, "latent_format", None), list(shape[2:])
    if len(axes) not in (2, 3):
        return f"{axes[-1]} long" if axes else ""
    across, along = (getattr(form, f"{name}_downscale_ratio", 1) for name in ("spacial", "temporal"))
    frames = [(axes[0] - 1) * along + 1] if len(axes) == 3 and axes[0] > 1 else []
    return "x".join(str(number) for number in (axes[-1] * across, axes[-2] * across, *frames))


def plan_name(plan: SavedPlan, subject: Subject, key: str) -> str:
    """The name of a learned plan's file, without suffix: model, sampler, steps, size, speed-up, date and key."""
    model, size = subject
    origin, steps = plan.origin, len(plan.table.rows)
    parts = (model or origin.model, origin.sampler, f"{steps} steps", size, f"{plan.speedup:.1f}x", origin.made, key)
    return "_".join(filter(None, map(_plain, parts)))


def _plain(part: str) -> str:
    """`part` with nothing in it that any system's file names lack."""
    return re.sub(r"[^\w.+-]+", "-", part, flags=re.ASCII).strip("-._")[:LONGEST]

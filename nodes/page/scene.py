"""The conditions of a sampling beside its steps, by which the page tells whether it is the same again."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scene:
    """The conditions of a sampling beside its steps, as the page sees them. `model`: a name for all that is on the
    model's way; `how`: for guidance and conditionings. `size`: places in a picture or video, in any unit, 0 where it is
    not known; `batch`: number of pictures."""

    model: str = ""
    how: str = ""
    size: float = 0.0
    batch: int = 1

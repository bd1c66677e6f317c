"""Blocks whose batch is not the first axis of their tensors."""

from collections.abc import Sequence

from torch import Size, Tensor

from ..run.engine import Source
from ..site import Kind


class AtAxis:
    """A source of values with the batch at `axis` `(..., B, ...)`, from `source`, where it comes first."""

    def __init__(self, source: Source, axis: int):
        self.source, self.axis = source, axis

    def enter(self, block: str, shapes: Sequence[Size]) -> None:
        """A block is about to be given tensors of these shapes; those of fewer axes are not its streams."""
        given = [list(shape) for shape in shapes if len(shape) > self.axis]
        self.source.enter(block, [Size([shape.pop(self.axis), *shape]) for shape in given])

    def predicts(self, kind: Kind, *sites: str) -> bool:
        """True if these sites are predicted in this call."""
        return self.source.predicts(kind, *sites)

    def keeps(self, kind: Kind) -> bool:
        """True if a value of `kind` computed now will be used."""
        return self.source.keeps(kind)

    def predict(self, kind: Kind, site: str) -> Tensor:
        """The predicted value `(..., B, ...)` of a site, a fresh tensor."""
        return self.source.predict(kind, site).movedim(0, self.axis)

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        """Keep a computed value `(..., B, ...)` of a site, if a later step needs it."""
        self.source.remember(kind, site, value.movedim(self.axis, 0))

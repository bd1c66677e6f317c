"""Blocks of which a plan names the sites that a step reuses."""

from collections.abc import Sequence

from torch import Size, Tensor

from ..run.engine import Source
from ..run.run import Run
from ..site import Kind


class Named:
    """The source of one block's values: of its sites only those that the plan names for the step are predicted."""

    def __init__(self, source: Source, run: Run, block: str):
        self.source, self.run, self.block = source, run, block

    def enter(self, block: str, shapes: Sequence[Size]) -> None:
        """The block is about to be given tensors of these shapes."""
        self.source.enter(block, shapes)

    def predicts(self, kind: Kind, *sites: str) -> bool:
        """True if these sites are predicted in this call."""
        named = self.run.evaluation.sites
        return (named is None or (kind, self.block) in named) and self.source.predicts(kind, *sites)

    def keeps(self, kind: Kind) -> bool:
        """True if a value of `kind` computed now will be used."""
        return self.source.keeps(kind)

    def predict(self, kind: Kind, site: str) -> Tensor:
        """The predicted value `(B, ...)` of a site, a fresh tensor."""
        return self.source.predict(kind, site)

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        """Keep a computed value `(B, ...)` of a site, if a later step needs it."""
        self.source.remember(kind, site, value)

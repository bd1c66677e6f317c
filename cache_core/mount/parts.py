"""Blocks that a model runs several times in a call, for one part of a long piece after another."""

from collections import Counter
from collections.abc import Sequence

from torch import Size, Tensor

from ..run.engine import Source
from ..site import Kind


class Parts:
    """A source in which a block's sites have other names each time that it runs in a call: `blocks.3~2.attn` is that of
    the second time."""

    def __init__(self, source: Source):
        self.source = source
        self._times: Counter[str] = Counter()
        self._block = ""

    def begin(self) -> None:
        """A call of the model begins."""
        self._times.clear()

    def enter(self, block: str, shapes: Sequence[Size]) -> None:
        """A block is about to be given tensors of these shapes."""
        self._times[block] += 1
        self._block = block
        self.source.enter(self._named(block), shapes)

    def predicts(self, kind: Kind, *sites: str) -> bool:
        """True if these sites are predicted in this call."""
        return self.source.predicts(kind, *map(self._named, sites))

    def keeps(self, kind: Kind) -> bool:
        """True if a value of `kind` computed now will be used."""
        return self.source.keeps(kind)

    def predict(self, kind: Kind, site: str) -> Tensor:
        """The predicted value `(B, ...)` of a site, a fresh tensor."""
        return self.source.predict(kind, self._named(site))

    def remember(self, kind: Kind, site: str, value: Tensor) -> None:
        """Keep a computed value `(B, ...)` of a site, if a later step needs it."""
        self.source.remember(kind, self._named(site), value)

    def _named(self, site: str) -> str:
        times = self._times[self._block]
        return f"{self._block}~{times}{site.removeprefix(self._block)}" if times > 1 else site

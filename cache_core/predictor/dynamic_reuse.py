"""FasterCache's dynamic reuse (arXiv 2410.19355): the last change is added with a weight that rises over the run."""

from collections.abc import Sequence
from dataclasses import dataclass

from .place import place_of


@dataclass(frozen=True)
class DynamicReuse:
    """`F_0 + w (F_0 - F_1)` of the two newest outputs, with `w = max(least, rise (i - zero))` at step i.

    `sigmas` `(N + 1,)`: of the run. `zero`: step at which w is 0; `rise`: of w, per step; `least`: w at least. A w of
    the gap ahead over the gap behind, 0.5 in an interval of 2, is the straight line through both outputs.
    """

    sigmas: tuple[float, ...]
    zero: float = 0.0
    rise: float = 0.0
    least: float = 0.0

    @property
    def order(self) -> int:
        """2: the newest output, and the one before it."""
        return 2

    @property
    def reach(self) -> int:
        """0: no corrections."""
        return 0

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Weights of the newest outputs, computed at the sigmas `nodes`, newest first, for a prediction at `at`; plain
        reuse where there is but one."""
        w = max(self.least, self.rise * (place_of(self.sigmas, at) - self.zero))
        return (1 + w, -w) if len(nodes) > 1 else (1.0,)

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """No weights: computed outputs stay as they are."""
        return ()

    def of(self, modality: int) -> "DynamicReuse":
        """The predictor of a modality: the same for all."""
        return self

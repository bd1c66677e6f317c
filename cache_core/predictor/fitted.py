"""Prediction with weights that were fitted for each step of one sampling (calibrate.Tracker), instead of following
from the nodes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .extrapolation import Extrapolation

SAME = 1e-4  # relative distance below which two sigmas are one: schedulers differ by less between devices


@dataclass(frozen=True)
class Fit:
    """The weights of the samples at `nodes`, newest first, for the output at clock value `at`. Where `at` is itself
    the newest node, the output was computed and is corrected for the gap before it."""

    at: float
    nodes: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def corrects(self) -> bool:
        return self.at == self.nodes[0]

    def applies(self, nodes: Sequence[float], at: float) -> bool:
        """Whether a history with these nodes, newest first, holds the samples that the weights are for."""
        return len(nodes) >= len(self.nodes) and same(at, self.at) and all(map(same, nodes, self.nodes))


@dataclass(frozen=True)
class Fitted:
    """`fits` where one applies, else `fallback`: after a restart, or when a sampler calls the model elsewhere."""

    fits: tuple[Fit, ...]
    fallback: Extrapolation = field(default_factory=lambda: Extrapolation(2))

    @property
    def order(self) -> int:
        """Samples of a site that predictions are made from."""
        return max([self.fallback.order, *(len(fit.nodes) for fit in self.fits if not fit.corrects)])

    @property
    def reach(self) -> int:
        """Outputs of the model that a computed one is corrected by, itself among them."""
        return max([0, *(len(fit.nodes) for fit in self.fits if fit.corrects)])

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        found = self._find(nodes, at)
        return self.fallback.weights(nodes, at) if found is None else found.weights

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        found = self._find(nodes, nodes[0])
        return () if found is None else found.weights

    def _find(self, nodes: Sequence[float], at: float) -> Fit | None:
        return next((fit for fit in self.fits if fit.applies(nodes, at)), None)


def same(a: float, b: float) -> bool:
    """Whether two clock values are one."""
    return abs(a - b) <= SAME * max(abs(a), abs(b))

"""Weights that were fitted for each step of one sampling (calibrate), in place of such that follow from the sigmas."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..timeline import same
from .extrapolation import Extrapolation


@dataclass(frozen=True)
class Fit:
    """Weights of the outputs computed at the sigmas `nodes`, newest first, for the output at sigma `at`.

    Where `at` is the newest node, that output was computed, and is corrected for the gap before it.
    """

    at: float
    nodes: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def corrects(self) -> bool:
        """True for a correction, False for a prediction."""
        return self.at == self.nodes[0]

    def applies(self, nodes: Sequence[float], at: float) -> bool:
        """True if the newest outputs, at `nodes`, are those that the weights are for, and so is the sigma `at`."""
        return len(nodes) >= len(self.nodes) and same(at, self.at) and all(map(same, nodes, self.nodes))


@dataclass(frozen=True)
class Fitted:
    """Weights of the first of `fits` that applies, else of `fallback`: after a restart, or where a sampler calls the
    model between steps. `others`: fits of the modalities behind the first; without them its own are for all."""

    fits: tuple[Fit, ...]
    fallback: Extrapolation = field(default_factory=lambda: Extrapolation(2))
    others: tuple[tuple[Fit, ...], ...] = ()

    @property
    def order(self) -> int:
        """Number of newest outputs of a site that a prediction combines, at most."""
        return max([self.fallback.order, *(len(fit.nodes) for fit in self._all if not fit.corrects)])

    @property
    def reach(self) -> int:
        """Number of newest outputs of the model that a correction combines, at most; 0 = no corrections."""
        return max([0, *(len(fit.nodes) for fit in self._all if fit.corrects)])

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Weights of the newest outputs, computed at the sigmas `nodes`, newest first, for a prediction at `at`."""
        fit = self._find(nodes, at)
        return self.fallback.weights(nodes, at) if fit is None else fit.weights

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """Weights that correct the output just computed at `nodes[0]`; none where no fit applies."""
        fit = self._find(nodes, nodes[0])
        return () if fit is None else fit.weights

    def of(self, modality: int) -> "Fitted":
        """The predictor of a modality, by its place."""
        return Fitted(self.others[modality - 1], self.fallback) if 0 < modality <= len(self.others) else self

    @property
    def _all(self) -> tuple[Fit, ...]:
        return sum(self.others, self.fits)

    def _find(self, nodes: Sequence[float], at: float) -> Fit | None:
        return next((fit for fit in self.fits if fit.applies(nodes, at)), None)

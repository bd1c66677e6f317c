"""Weights of kept outputs that lead a sampling back to a reference, fitted step by step while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..predictor import Fit, lagrange

REACH = 3  # computed outputs that a prediction may use, and a correction besides the newest
RIDGE = 1e-4  # of the diagonal

Kept = tuple[int, np.ndarray]  # step of a computed output, and its elements (P,)


@dataclass
class Normal:
    """Normal equations of each step's fit, summed over the samplings so far: each is fitted to all before it, too."""

    matrix: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)  # by step and number of coefficients
    right: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)  # heunpp2 comes back to a step with more

    def solve(self, step: int, basis: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Coefficients `(M,)` of the rows of `basis` `(M, P)` that come nearest to `wanted` `(P,)`: ridge regression,
        `(B B^T + r diag(B B^T)) c = B w`, summed over samplings."""
        key = (step, len(basis))
        self.matrix[key] = matrix = self.matrix.get(key, 0.0) + basis @ basis.T
        self.right[key] = right = self.right.get(key, 0.0) + basis @ wanted
        damped = matrix + RIDGE * np.diag(matrix.diagonal()) + 1e-30 * np.eye(len(right))
        return np.linalg.solve(damped, right)


class Steering:
    """The fits of one sampling with a plan, on the way to the `reference` outputs `(N, P)` of an uncached one.

    Each output d off the reference displaces the final state by `W_i d`, W = Response.final. So at each step the
    output is fitted to `v_ref - share / W_i sum_{k<i} W_k d_k`: with `share` 1 the sampling ends where the reference
    does. This holds for samplers of any order; steering by the state alone makes multistep ones overshoot, because
    they use each output again.

    The output v becomes `v + sum_m c_m (v_m - v_a)`, v_a the newest computed one and v_m those before it, all as they
    were: weights sum to 1 by construction.
    """

    def __init__(
        self,
        nodes: Sequence[float],
        final: Sequence[float],
        reference: np.ndarray,
        normal: Normal,
        share: float = 1.0,
        reach: int = REACH,
    ):
        self.nodes, self.final, self.reference, self.normal = nodes, final, reference, normal
        self.share, self.reach = share, reach
        self.fits: dict[int, Fit] = {}
        self._displaced: np.ndarray | float = 0.0  # of the final state, by the outputs before the last one
        self._last: tuple[int, np.ndarray] | None = None  # step of the last output, and its displacement

    def target(self, step: int) -> np.ndarray:
        """Output `(P,)` of `step` that leads back to the reference."""
        return self.reference[step] - self.share / self.final[step] * self._before(step)

    def predicted(self, step: int, kept: Sequence[Kept]) -> Fit:
        """The fit of a prediction, from at least two `kept` outputs, newest first: order 2, and what brings it nearer
        to the target."""
        kept = kept[: self.reach]
        order_2 = lagrange([self.nodes[other] for other, _ in kept[:2]], self.nodes[step])
        return self._fit(step, kept, (*order_2, *(0.0 for _ in kept[2:])))

    def corrected(self, step: int, kept: Sequence[Kept]) -> Fit:
        """The fit of a computed output, the first of at least two `kept`: it shows the error of the gap before it."""
        kept = kept[: 1 + self.reach]
        return self._fit(step, kept, (1.0, *(0.0 for _ in kept[1:])))

    def note(self, step: int, output: np.ndarray) -> None:
        """The sampling goes on with `output` `(P,)` at `step`. Of several at one step the last counts."""
        self._displaced, self._last = self._before(step), (step, self.final[step] * (output - self.reference[step]))

    def _before(self, step: int) -> np.ndarray | float:
        """Displacement of the final state by the outputs before `step`."""
        last, moved = self._last or (step, 0.0)
        return self._displaced if last == step else self._displaced + moved

    def _fit(self, step: int, kept: Sequence[Kept], weights: Sequence[float]) -> Fit:
        values = [value.astype(np.float64) for _, value in kept]
        wanted = self.target(step) - sum(w * value for w, value in zip(weights, values, strict=True))
        added = self.normal.solve(step, np.stack(values[1:]) - values[0], wanted)
        fitted = [float(w + more) for w, more in zip(weights, (-added.sum(), *added), strict=True)]
        self.fits[step] = Fit(self.nodes[step], tuple(self.nodes[other] for other, _ in kept), tuple(fitted))
        return self.fits[step]

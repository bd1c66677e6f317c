"""Weights fitted in closed loop: a run with the plan is steered, computed step by computed step, back to the recorded uncached one."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..predictor import Fit
from .recording import Recording, probe

REACH = 3  # computed outputs besides the newest that a correction may use
RIDGE = 1e-3  # of the diagonal


@dataclass
class Normal:
    """Normal equations of each step's fit, summed over the samples so far: each is fitted to all that came before it, too."""

    matrix: dict[int, Tensor] = field(default_factory=dict)
    right: dict[int, Tensor] = field(default_factory=dict)

    def solve(self, step: int, basis: Tensor, wanted: Tensor) -> Tensor:
        """Coefficients `(M,)` of the rows of `basis` `(M, P)` that come nearest to `wanted` `(P,)`, by ridge regression."""
        matrix, right = basis @ basis.T, basis @ wanted
        self.matrix[step] = matrix = self.matrix.get(step, torch.zeros_like(matrix)) + matrix
        self.right[step] = right = self.right.get(step, torch.zeros_like(right)) + right
        damped = matrix + RIDGE * torch.diag(matrix.diagonal()) + 1e-30 * torch.eye(len(right), dtype=right.dtype)
        return torch.linalg.solve(damped, right)


class Tracker:
    """Watches a run that computes `steps`, and corrects each output that was computed, v_a, to `v_a + sum_m c_m (v_m - v_a)` over the computed
    outputs m1, m2, m3 before it, as they were: c is fitted to the output that leads back to the recorded run. Weights sum to 1 by construction.

    Because guidance is linear and every conditioning gets the same weights, the fit to the guided output is the fit for each
    conditioning. Predictions in between are left as they are: to fit those, too, was worse on other pictures (docs/DESIGN_NOTES.md).
    """

    def __init__(self, recording: Recording, steps: Iterable[int], normal: Normal | None = None):
        self.recording, self.steps, self.normal = recording, frozenset(steps), normal or Normal()
        self.fits: dict[int, Fit] = {}
        self._computed: list[tuple[int, Tensor]] = []  # outputs, newest first
        self._state, self._step = torch.empty(0), None

    def begin(self, sigma: float, state: Tensor) -> None:
        self._state, self._step = probe(state), self.recording.step_of(sigma)

    def end(self, output: Tensor) -> Tensor:
        """The corrected output, in float32; `output` itself at a predicted step, and at the first."""
        if self._step not in self.steps:
            return output
        earlier = [(step, value) for step, value in self._computed if step != self._step][:REACH]
        fresh = output.float()
        self._computed = [(self._step, fresh), *earlier]
        if not earlier:
            return output
        self.fits[self._step] = fit = self._fit()
        return sum(weight * value for weight, (_, value) in zip(fit.weights, self._computed, strict=True))

    def _fit(self) -> Fit:
        newest, *older = (probe(value).double() for _, value in self._computed)
        wanted = self.recording.target(self._step, self._state).double() - newest
        shares = self.normal.solve(self._step, torch.stack(older) - newest, wanted).tolist()
        nodes = tuple(self.recording.nodes[step] for step, _ in self._computed)
        return Fit(nodes[0], nodes, (1.0 - sum(shares), *shares))

"""Weights fitted in closed loop: a run with the plan is steered, step by step, back to the recorded uncached one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..predictor import Fit
from .recording import Recording, probe

REACH = 3  # samples besides the newest that a prediction may use
GAIN = 0.3  # share of a gap's error, seen at the step after it, that is taken back
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
    """The predictor of a calibration run. At each predicted step `v = v_a + sum_m c_m (v_m - v_a)` is fitted, over the last computed steps
    a, m1, m2, m3, to the output that leads back to the recorded run; weights sum to 1 by construction.

    `begin` and `end` show it the state and the guided output of each evaluation. Because guidance is linear and every conditioning
    gets the same weights, the fit to the guided output is the fit for each conditioning. At a computed step the gap before it is integrated
    again with the outputs interpolated, and the share `gain` of the difference goes into the output.
    """

    order = REACH + 2

    def __init__(self, recording: Recording, gain: float = GAIN, normal: Normal | None = None):
        self.recording, self.gain, self.normal = recording, gain, normal or Normal()
        self.fits: dict[float, Fit] = {}
        self._outputs: dict[float, Tensor] = {}  # computed ones, by sigma
        self._gap: list[Fit] = []  # the predictions since the last computed step
        self._state, self._sigma, self._fit = torch.empty(0), float("nan"), None

    @property
    def corrects(self) -> bool:
        return self.gain > 0

    def begin(self, sigma: float, state: Tensor) -> None:
        self._state, self._sigma, self._fit = probe(state), sigma, None

    def weights(self, nodes: Sequence[float], at: float) -> tuple[float, ...]:
        """Fitted when the first conditioning asks; the others get the same."""
        if self._fit is None:
            self._fit = self._fitted(tuple(nodes[: REACH + 1]), at)
            if self.recording.step_of(at) is not None:  # not one of a sampler's trials between two steps
                self._gap = [*(fit for fit in self._gap if fit.at > at), self._fit]
            self.fits[at] = self._fit
        return self._fit.weights

    def correction(self, nodes: Sequence[float]) -> tuple[float, ...]:
        """The weights of the corrected output at `nodes[0]`; none if no gap was before it."""
        if self._fit is None and self._gap and self.recording.step_of(nodes[0]) is not None:
            self._fit = self._corrected(tuple(nodes[: max(len(fit.nodes) for fit in self._gap) + 1]))
            self.fits[nodes[0]] = self._fit
        return () if self._fit is None else self._fit.weights

    def end(self, output: Tensor) -> None:
        """Take note of the guided output; one that was computed is kept as it was before its correction."""
        if self._fit is not None and self._fit.at != self._fit.nodes[0]:
            return
        value = probe(output)
        if self._fit is not None:
            own, *others = self._fit.weights
            value = (value - sum(w * self._outputs[node] for w, node in zip(others, self._fit.nodes[1:], strict=True))) / own
        self._outputs[self._sigma], self._gap = value, []

    def _fitted(self, nodes: tuple[float, ...], at: float) -> Fit:
        newest, *older = (self._outputs[node].double() for node in nodes)
        step = self.recording.step_of(at)
        if not older or step is None:
            return Fit(at, nodes[:1], (1.0,))
        wanted = self.recording.target(step, self._state).double() - newest
        shares = self.normal.solve(step, torch.stack(older) - newest, wanted).tolist()
        return Fit(at, nodes, (1.0 - sum(shares), *shares))

    def _corrected(self, nodes: tuple[float, ...]) -> Fit:
        own, start = nodes[:2]
        weights = dict.fromkeys(nodes, 0.0)
        for fit in self._gap:
            moved, reached = self.recording.weights[self.recording.step_of(fit.at)], (fit.at - start) / (own - start)
            weights[own] += moved * reached
            weights[start] += moved * (1 - reached)
            for node, weight in zip(fit.nodes, fit.weights, strict=True):
                weights[node] -= moved * weight
        share = self.gain / self.recording.weights[self.recording.step_of(own)]
        return Fit(own, nodes, (1 + share * weights[own], *(share * weights[node] for node in nodes[1:])))

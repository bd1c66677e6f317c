"""Weights fitted in closed loop: a run with the plan is steered, computed step by computed step, back to the
recorded uncached one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..predictor import Fit, lagrange
from .recording import Recording

REACH = 3  # computed outputs besides the newest that a correction may use
BETWEEN = 3  # computed outputs that a prediction may use
RIDGE = 1e-3  # of the diagonal


@dataclass
class Normal:
    """Normal equations of each step's fit, summed over the samples so far: each is fitted to all that came before
    it, too."""

    matrix: dict[tuple[int, int], Tensor] = field(
        default_factory=dict
    )  # by step and number of coefficients: heunpp2 comes back to a step
    right: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def solve(self, step: int, basis: Tensor, wanted: Tensor) -> Tensor:
        """Coefficients `(M,)` of the rows of `basis` `(M, P)` that come nearest to `wanted` `(P,)`, by ridge regression."""
        matrix, right, key = basis @ basis.T, basis @ wanted, (step, len(basis))
        self.matrix[key] = matrix = self.matrix.get(key, torch.zeros_like(matrix)) + matrix
        self.right[key] = right = self.right.get(key, torch.zeros_like(right)) + right
        damped = matrix + RIDGE * torch.diag(matrix.diagonal()) + 1e-30 * torch.eye(len(right), dtype=right.dtype)
        return torch.linalg.solve(damped, right)


class Tracker:
    """Watches a run that computes `steps`, and brings each output v to `v + sum_m c_m (v_m - v_a)`, where v_a is the
    newest computed output and v_m are those before it, all as they were: c is fitted to the output that leads back
    to the recorded run (Recording.target), all the way for samplers of Euler's kind, a part of it for others.
    Weights sum to 1 by construction.

    A computed output is corrected by up to three others, because it shows what the gap before it missed. A
    prediction, order 2, by up to two; with `between` off predictions stay as they are, which plans need whose steps
    in between are not predictions of the model's output.

    Because guidance is linear and every conditioning gets the same weights, the fit to the guided output is the fit
    for each conditioning.
    """

    def __init__(self, recording: Recording, steps: Iterable[int], normal: Normal | None = None, between: bool = True):
        self.recording, self.steps, self.normal, self.between = recording, frozenset(steps), normal or Normal(), between
        self.fits: dict[int, Fit] = {}
        self._steering = recording.steering
        self._computed: list[tuple[int, Tensor]] = []  # outputs, newest first
        self._state, self._step = torch.empty(0), None

    def begin(self, sigma: float, state: Tensor) -> None:
        self._state, self._step = self.recording.sampled_elements(state), self.recording.step_of(sigma)

    def end(self, output: Tensor) -> Tensor:
        """The fitted output, in float32; `output` itself where nothing can be fitted: before the second computed
        step, and between two steps."""
        if self._step in self.steps:
            earlier = [(step, value) for step, value in self._computed if step != self._step][:REACH]
            self._computed = [(self._step, output.float()), *earlier]
            return self._brought_back(output, self._computed, (1.0, *(0.0 for _ in earlier)))
        if self._step is None or not self.between:
            return output
        kept = self._computed[:BETWEEN]
        nodes = [self.recording.nodes[step] for step, _ in kept]
        order_2 = lagrange(nodes[:2], self.recording.nodes[self._step])
        return self._brought_back(output, kept, (*order_2, *(0.0 for _ in kept[2:])))

    def _brought_back(self, output: Tensor, kept: Sequence[tuple[int, Tensor]], weights: Sequence[float]) -> Tensor:
        """`output`, which is the sum of the `kept` outputs with `weights`, after the fit of its step."""
        if len(kept) < 2:
            return output
        newest, *older = (self.recording.sampled_elements(value).double() for _, value in kept)
        target = self.recording.target(self._step, self._state, self._steering)
        wanted = target.double() - self.recording.sampled_elements(output).double()
        shares = self.normal.solve(self._step, torch.stack(older) - newest, wanted).tolist()
        fitted = [weight + share for weight, share in zip(weights, (-sum(shares), *shares), strict=True)]
        nodes = tuple(self.recording.nodes[step] for step, _ in kept)
        self.fits[self._step] = Fit(self.recording.nodes[self._step], nodes, tuple(fitted))
        return sum(weight * value for weight, (_, value) in zip(fitted, kept, strict=True))

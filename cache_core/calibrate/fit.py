"""Weights fitted in closed loop: a run with a plan is steered, computed step by computed step, to the recorded one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

import torch
from torch import Tensor

from ..plan import Plan
from ..predictor import GAIN_LIMIT, Extrapolation, Fit, lagrange
from ..schedule import Steps
from ..site import OUTPUT, Kind
from .bench import Watch
from .recording import Recording

REACH = 3  # computed outputs besides the newest that a correction may use
BETWEEN = 3  # computed outputs that a prediction may use
RIDGE = 1e-3  # of the diagonal


def fit(
    sample: Callable[[Plan, Watch], Tensor],
    recordings: Iterable[Recording],
    kinds: frozenset[Kind],
    steps: Sequence[int],
) -> tuple[tuple[Fit, ...], Tensor]:
    """Weights fitted to the recordings, one after the other, and the final latent `(1, C, ...)` of the last run.

    `sample`: the next recording's sample, with a plan and watched. `steps`: the computed ones. Where attention and MLP
    are cached only outputs of computed steps are corrected: the ones in between are no predictions of the output.
    """
    plan, normal, final = fitting_plan(kinds, steps), Normal(), None
    fits: tuple[Fit, ...] = ()
    for recording in recordings:
        tracker = Tracker(recording, steps, normal, predictions=kinds == OUTPUT)
        final = sample(plan, tracker)
        fits = tuple(tracker.fits.values())
    assert final is not None, "there is at least one recording"
    return fits, final


def fitting_plan(kinds: frozenset[Kind], steps: Sequence[int]) -> Plan:
    """The plan of a run that is fitted: order 2. The fit itself limits the gain of the model's predicted output."""
    predictor = Extrapolation(2, gain_limit=inf if kinds == OUTPUT else GAIN_LIMIT)
    return Plan(Steps(kinds, tuple(steps)), predictor, name="fitting", merge=kinds != OUTPUT)


@dataclass
class Normal:
    """Normal equations of each step's fit, summed over the samples so far: each is fitted to all before it, too."""

    matrix: dict[tuple[int, int], Tensor] = field(default_factory=dict)  # by step and number of coefficients: heunpp2
    right: dict[tuple[int, int], Tensor] = field(default_factory=dict)  # comes back to a step with more of them

    def solve(self, step: int, basis: Tensor, wanted: Tensor) -> Tensor:
        """Coefficients `(M,)` of the rows of `basis` `(M, P)` that come nearest to `wanted` `(P,)`: ridge regression,
        `(B B^T + r diag(B B^T)) c = B w`, summed over samples."""
        matrix, right, key = basis @ basis.T, basis @ wanted, (step, len(basis))
        self.matrix[key] = matrix = self.matrix.get(key, torch.zeros_like(matrix)) + matrix
        self.right[key] = right = self.right.get(key, torch.zeros_like(right)) + right
        damped = matrix + RIDGE * torch.diag(matrix.diagonal()) + 1e-30 * torch.eye(len(right), dtype=right.dtype)
        return torch.linalg.solve(damped, right)


class Tracker:
    """Watch that steers a run with computed `steps` to the recorded one: v becomes `v + sum_m c_m (v_m - v_a)`.

    v is an output, v_a the newest computed one and v_m are those before it, all as they were; c is fitted to the output
    that leads back to the recorded run (Recording.target). Weights sum to 1 by construction. A computed output is
    corrected by up to three others, because it shows the error of the gap before it; with `predictions` a prediction,
    order 2, by up to two.

    Guidance is linear and every conditioning gets the same weights, so the fit to the guided output is that of each.
    """

    def __init__(
        self, recording: Recording, steps: Iterable[int], normal: Normal | None = None, predictions: bool = True
    ):
        self.recording, self.steps, self.normal = recording, frozenset(steps), normal or Normal()
        self.predictions, self.fits = predictions, dict[int, Fit]()
        self._steering = recording.steering
        self._computed: list[tuple[int, Tensor]] = []  # outputs, newest first
        self._state = torch.empty(0)
        self._step: int | None = None

    def begin(self, sigma: float, state: Tensor) -> None:
        self._state, self._step = self.recording.sampled_elements(state), self.recording.step_of(sigma)

    def end(self, output: Tensor) -> Tensor:
        """The fitted output, float32, shaped like `output`; `output` itself before the second computed step, and
        between two steps."""
        step = self._step
        if step is None or not (step in self.steps or self.predictions):
            return output
        if step in self.steps:
            earlier = [(other, value) for other, value in self._computed if other != step][:REACH]
            self._computed = [(step, output.float()), *earlier]
            return self._steered(step, output, self._computed, (1.0, *(0.0 for _ in earlier)))
        kept = self._computed[:BETWEEN]
        order_2 = lagrange([self.recording.nodes[other] for other, _ in kept[:2]], self.recording.nodes[step])
        return self._steered(step, output, kept, (*order_2, *(0.0 for _ in kept[2:])))

    def _steered(
        self, step: int, output: Tensor, kept: Sequence[tuple[int, Tensor]], weights: Sequence[float]
    ) -> Tensor:
        """`output`, the sum of the `kept` outputs with `weights`, after the fit of its step."""
        if len(kept) < 2:
            return output
        newest, *older = (self.recording.sampled_elements(value).double() for _, value in kept)
        target = self.recording.target(step, self._state, self._steering)
        wanted = target.double() - self.recording.sampled_elements(output).double()
        added = self.normal.solve(step, torch.stack(older) - newest, wanted).tolist()
        fitted = [weight + more for weight, more in zip(weights, (-sum(added), *added), strict=True)]
        nodes = tuple(self.recording.nodes[other] for other, _ in kept)
        self.fits[step] = Fit(self.recording.nodes[step], nodes, tuple(fitted))
        combined = fitted[0] * kept[0][1]
        for weight, (_, value) in zip(fitted[1:], kept[1:], strict=True):
            combined = combined + weight * value
        return combined

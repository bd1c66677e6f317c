"""States and outputs of an uncached sampling, at each step, on a fixed sample of their elements."""

from dataclasses import dataclass
from math import inf, isfinite

import torch
from torch import Tensor

from ..response import Response
from ..timeline import Timeline, same

ELEMENTS = 2**17  # a few coefficients are fitted to them, so more would tell nothing new; twice 26 MB for 50 steps
MOST_VALUES = 2**24  # of all states, and of all outputs: twice 67 MB, as of 128 steps; more steps keep less of each
EXPLAINED = 0.01  # share of its displacements that a sampler's response leaves unexplained, at most


def sampled_elements(value: Tensor, limit: int = ELEMENTS) -> Tensor:
    """At most `limit` elements `(P,)` of `value`, float32 on the CPU; the same places for each tensor of its size."""
    flat = value.flatten()
    if len(flat) > limit:
        chosen = torch.randint(len(flat), (limit,), generator=torch.Generator().manual_seed(0))
        flat = flat[chosen.to(flat.device)]
    return flat.to("cpu", torch.float32, copy=True)


def elements(steps: int) -> int:
    """Elements of each state and output in a recording of `steps` steps, at most."""
    return min(ELEMENTS, MOST_VALUES // steps)


def relative_l2(value: Tensor, reference: Tensor) -> float:
    """Drift: `||value - reference|| / ||reference||` of two latents of one shape; infinite where it is not finite."""
    distance = float((value.double() - reference.double()).norm() / reference.double().norm().clamp_min(1e-30))
    return distance if isfinite(distance) else inf


@dataclass(frozen=True, eq=False)  # tensors have no one truth value
class Recording:
    """An uncached sampling of N steps.

    `nodes` `(N,)`: sigma of each step. `response`: of its sampler. `states`, `outputs` `(N, P)`: state before each
    step, guided output.
    """

    nodes: tuple[float, ...]
    response: Response
    states: Tensor
    outputs: Tensor

    @classmethod
    def of(cls, timeline: Timeline, states: Tensor, outputs: Tensor) -> "Recording":
        """Recording of `states` and `outputs` `(N, P)` of a sampling."""
        return cls(timeline.sigmas[:-1], timeline.responds, states, outputs)

    def step_of(self, sigma: float) -> int | None:
        """Step at `sigma`; None between two steps."""
        return next((step for step, node in enumerate(self.nodes) if same(sigma, node)), None)

    def sampled_elements(self, value: Tensor) -> Tensor:
        """Elements `(P,)` of a state or output, those that this recording has."""
        return sampled_elements(value, self.outputs.shape[-1])

    def gram(self) -> Tensor:
        """Inner products of the outputs: `(N, N)`, float64."""
        outputs = self.outputs.double()
        return outputs @ outputs.T

    @property
    def unexplained(self) -> float:
        """Share of the displacements that the response leaves: `||d_j - sum_i L_ji v_i|| / ||d_j||`, over all steps,
        with `d_j = x_j - c_j x_0`.

        1e-6 for samplers that ask the model once at each step; 0.01 to 0.3 where the response is not theirs.
        """
        start = torch.tensor(self.response.start[:-1]).unsqueeze(1) * self.states[0]
        explained = torch.tensor(self.response.outputs[:-1]) @ self.outputs
        moved = self.states - start
        return float((moved - explained).norm() / moved.norm().clamp_min(1e-30))

    @property
    def steering(self) -> float:
        """Share of the way back to the recorded end that a fit may take at one step: 1 where the response is known,
        else 0, so that outputs are fitted to the recorded ones."""
        return 1.0 if self.unexplained <= EXPLAINED else 0.0


@dataclass(frozen=True, eq=False)
class Recorded:
    """An uncached sample: its recording, and the compared elements `(P,)` of its final latent."""

    recording: Recording
    final: Tensor


class Recorder:
    """Watch that records an uncached run, of states and outputs `(1, C, ...)`."""

    def __init__(self, timeline: Timeline):
        self.timeline, self._elements = timeline, elements(timeline.steps)
        self._states: dict[int, Tensor] = {}
        self._outputs: dict[int, Tensor] = {}
        self._step: int | None = None
        self._between = False

    def begin(self, sigma: float, state: Tensor) -> None:
        """Note the state. Of several evaluations at one step the last counts: the others are a sampler's own trials."""
        step = self.timeline.step_of(sigma)
        self._step = step if same(sigma, self.timeline.sigmas[step]) else None
        self._between = self._between or self._step is None
        if self._step is not None:
            self._states[step] = sampled_elements(state, self._elements)

    def end(self, output: Tensor) -> Tensor:
        if self._step is not None:
            self._outputs[self._step] = sampled_elements(output, self._elements)
        return output

    def recording(self) -> Recording | None:
        """The recording; None if the sampler left a step out or looked between two, or a value was not finite."""
        steps = range(self.timeline.steps)
        if self._between or any(step not in self._outputs for step in steps):
            return None
        states, outputs = (torch.stack([kept[step] for step in steps]) for kept in (self._states, self._outputs))
        if not (states.isfinite().all() and outputs.isfinite().all()):
            return None
        return Recording.of(self.timeline, states, outputs)


class Follower:
    """Watch of the drift of the states `(1, C, ...)` from the recorded ones, by step."""

    def __init__(self, recording: Recording):
        self.recording = recording
        self.drifts: dict[int, float] = {}

    def begin(self, sigma: float, state: Tensor) -> None:
        step = self.recording.step_of(sigma)
        if step is not None:
            self.drifts[step] = relative_l2(self.recording.sampled_elements(state), self.recording.states[step])

    def end(self, output: Tensor) -> Tensor:
        return output

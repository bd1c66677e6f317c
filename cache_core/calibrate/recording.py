"""States and outputs of an uncached sampling, at each step, on a fixed sample of their elements."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

import torch
from torch import Tensor

from ..timeline import Timeline, same

ELEMENTS = 2**17  # a few coefficients are fitted to them, so more would tell nothing new; twice 26 MB for 50 steps
MOST_VALUES = 2**24  # of all states, and of all outputs: twice 67 MB, as of 128 steps; more steps keep less of each
EULER = 0.01  # share of the displacements that a sampler of Euler's kind leaves unexplained, at most
PARTLY = 0.3  # steering of other samplers: 0.6 diverges with uni_pc and ipndm (docs/DESIGN_NOTES.md)


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

    `nodes` `(N,)`: sigma of each step. `weights` `(N,)`: change of the state per unit of output in a first-order step;
    for flow models the difference of the sigmas. `states`, `outputs` `(N, P)`: state before each step, guided output.
    """

    nodes: tuple[float, ...]
    weights: tuple[float, ...]
    states: Tensor
    outputs: Tensor

    @classmethod
    def of(cls, timeline: Timeline, scale: Sequence[float], states: Tensor, outputs: Tensor) -> "Recording":
        """Recording of `states` and `outputs` `(N, P)`; `scale` as in Bench."""
        weights = (s * (after - at) for s, at, after in zip(scale, timeline.sigmas, timeline.sigmas[1:], strict=False))
        return cls(timeline.sigmas[:-1], tuple(weights), states, outputs)

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
        """Share of the displacements that Euler's rule leaves: `||x[i+1] - x[i] - h_i v_i|| / ||h_i v_i||`, all steps.

        1e-7 for Euler and DDIM; 0.03 to 0.3 for samplers that use earlier outputs, or several at a step.
        """
        moved = torch.tensor(self.weights[:-1]).unsqueeze(1) * self.outputs[:-1]
        return float((self.states.diff(dim=0) - moved).norm() / moved.norm().clamp_min(1e-30))

    @property
    def steering(self) -> float:
        """Share of the way back to the recorded state that a fit may take at one step.

        1 where the step alone decides where it leads. A multistep sampler uses each output again, with weights of
        either sign, so that a whole correction overshoots, and the next one more.
        """
        return 1.0 if self.unexplained <= EULER else PARTLY

    def target(self, step: int, state: Tensor, steering: float = 1.0) -> Tensor:
        """Output `(P,)` that leads `state` back to the recorded run: `v_ref[i] + steering (x_ref[i] - x_i) / h_i`.

        With `steering` 1 that is `(x_ref[i+1] - x_i) / h_i` for Euler. It needs nothing of other samplers but their
        first-order behaviour.
        """
        return self.outputs[step] + steering * (self.states[step] - state) / self.weights[step]


@dataclass(frozen=True, eq=False)
class Recorded:
    """An uncached sample: its recording, and the compared elements `(P,)` of its final latent."""

    recording: Recording
    final: Tensor


class Recorder:
    """Watch that records an uncached run, of states and outputs `(1, C, ...)`. `scale` as in Bench."""

    def __init__(self, timeline: Timeline, scale: Sequence[float]):
        self.timeline, self.scale, self._elements = timeline, scale, elements(timeline.steps)
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
        return Recording.of(self.timeline, self.scale, states, outputs)


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

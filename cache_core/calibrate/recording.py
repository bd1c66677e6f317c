"""States and outputs of an uncached sampling, at each step, on a fixed sample of their elements."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite

import torch
from torch import Tensor

from ..modality import apart
from ..response import Response
from ..timeline import Timeline, same

ELEMENTS = 2**17  # a few coefficients are fitted to them, so more would tell nothing new; twice 26 MB for 50 steps
MOST_VALUES = 2**24  # of all states, and of all outputs: twice 67 MB, as of 128 steps; more steps keep less of each
TINY = 1e-30
EXPLAINED = 0.01  # share of its displacements that a sampler's response leaves unexplained, at most


def sampled_elements(value: Tensor, limit: int = ELEMENTS, sizes: Sequence[int] = ()) -> Tensor:
    """At most `limit` elements `(P,)` of `value`, float32 on the CPU; the same places for each tensor of its size.

    `sizes`: of its modalities, each of which has an equal share of the limit: sound is a thousandth of a clip.
    """
    parts = apart(value, sizes)
    drawn = [_drawn(part, limit // len(parts)) for part in parts]
    return drawn[0] if len(drawn) == 1 else torch.cat(drawn)


def _drawn(value: Tensor, limit: int) -> Tensor:
    flat = value.flatten()
    if len(flat) > limit:
        chosen = torch.randint(len(flat), (limit,), generator=torch.Generator().manual_seed(0))
        flat = flat[chosen.to(flat.device)]
    return flat.to("cpu", torch.float32, copy=True)


def channels_of(shape: Sequence[int], limit: int) -> Tensor:
    """Channel of each element that `sampled_elements` draws of a tensor `(B, C, ...)` of this shape: `(P,)`."""
    numbers = torch.arange(shape[1]).view(-1, *(1,) * (len(shape) - 2))
    return sampled_elements(numbers.expand(tuple(shape)), limit).long()


def elements(steps: int) -> int:
    """Elements of each state and output in a recording of `steps` steps, at most."""
    return min(ELEMENTS, MOST_VALUES // steps)


def relative_l2(value: Tensor, reference: Tensor) -> float:
    """Drift: `||value - reference|| / ||reference||` of two latents of one shape; infinite where it is not finite."""
    distance = float((value.double() - reference.double()).norm() / reference.double().norm().clamp_min(1e-30))
    return distance if isfinite(distance) else inf


def drifts_by_modality(value: Tensor, reference: Tensor, sizes: Sequence[int]) -> tuple[float, ...]:
    """Drift of each modality of two packed latents; of the whole where there is but one."""
    return tuple(map(relative_l2, apart(value, sizes), apart(reference, sizes)))


@dataclass(frozen=True, eq=False)  # tensors have no one truth value
class Recording:
    """An uncached sampling of N steps.

    `nodes` `(N,)`: sigma of each step. `response`: of its sampler. `states`, `outputs` `(N, P)`: state before each
    step, guided output. `sizes`: of the modalities of a latent that holds several; `lengths`: their shares of the P
    elements; `scales`: factors of their elements. `channels` `(P,)`: of the elements; None where modalities are packed.
    `differences` `(N, P)`: of the guidance's branches, raw unconditional output minus the conditional one; None where
    they were not recorded, or there was one branch.
    """

    nodes: tuple[float, ...]
    response: Response
    states: Tensor
    outputs: Tensor
    sizes: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    scales: tuple[float, ...] = ()
    channels: Tensor | None = None
    differences: Tensor | None = None

    @classmethod
    def of(
        cls,
        timeline: Timeline,
        states: Tensor,
        outputs: Tensor,
        shape: Sequence[int] = (1,),
        differences: Tensor | None = None,
    ) -> "Recording":
        """Recording of `states`, `outputs` and `differences` `(N, P)` of a sampling of latents of this `shape`, their
        number first."""
        sizes = tuple(modality.size for modality in timeline.modalities)
        lengths = tuple(min(elements(timeline.steps) // len(sizes), shape[0] * size) for size in sizes)
        channels = None if sizes or len(shape) < 3 else channels_of(shape, elements(timeline.steps))
        nodes, response = timeline.sigmas[:-1], timeline.responds
        return cls(nodes, response, states, outputs, sizes, lengths, channels=channels, differences=differences)

    def step_of(self, sigma: float) -> int | None:
        """Step at `sigma`; None between two steps."""
        return next((step for step, node in enumerate(self.nodes) if same(sigma, node)), None)

    def sampled_elements(self, value: Tensor) -> Tensor:
        """Elements `(P,)` of a state or output, those that this recording has, scaled as they are."""
        parts = apart(value, self.sizes)
        drawn = map(_drawn, parts, self.lengths or (self.outputs.shape[-1],))
        scales = self.scales or (1.0,) * len(parts)
        return torch.cat([scale * flat for scale, flat in zip(scales, drawn, strict=True)])

    def apart(self) -> tuple["Recording", ...]:
        """A recording of each modality."""
        if not self.sizes:
            return (self,)
        each = zip(*(kept.split(list(self.lengths), dim=-1) for kept in (self.states, self.outputs)), strict=True)
        return tuple(Recording(self.nodes, self.response, states, outputs) for states, outputs in each)

    def balanced(self, shares: Sequence[float] = ()) -> "Recording":
        """The recording with each modality's elements relative to the norm of its last state, times its share, so that
        an error counts as a drift does, in whichever modality it is."""
        if not self.sizes:
            return self
        norms = [float(part.norm()) for part in self.states[-1].split(list(self.lengths))]
        shares = shares or (1.0,) * len(norms)
        scales = tuple(share / max(norm, TINY) for share, norm in zip(shares, norms, strict=True))
        factors = torch.tensor(scales).repeat_interleave(torch.tensor(self.lengths))
        return replace(self, states=self.states * factors, outputs=self.outputs * factors, scales=scales)

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
    """Watch that records an uncached run, of states and outputs `(1, C, ...)`, and on request of the differences of
    the guidance's `branches`, too."""

    def __init__(self, timeline: Timeline, branches: bool = False):
        self.timeline, self._elements, self._branches = timeline, elements(timeline.steps), branches
        self._sizes = [modality.size for modality in timeline.modalities]
        self.shape: Sequence[int] = (1,)
        self._states: dict[int, Tensor] = {}
        self._outputs: dict[int, Tensor] = {}
        self._differences: dict[int, Tensor] = {}
        self._step: int | None = None
        self._between = False

    def begin(self, sigma: float, state: Tensor) -> None:
        """Note the state. Of several evaluations at one step the last counts: the others are a sampler's own trials."""
        step = self.timeline.step_of(sigma)
        self._step = step if same(sigma, self.timeline.sigmas[step]) else None
        self._between = self._between or self._step is None
        if self._step is not None:
            self.shape = tuple(state.shape)
            self._states[step] = sampled_elements(state, self._elements, self._sizes)

    def differed(self, difference: Tensor) -> None:
        if self._branches and self._step is not None:
            self._differences[self._step] = sampled_elements(difference, self._elements, self._sizes)

    def end(self, output: Tensor) -> Tensor:
        if self._step is not None:
            self._outputs[self._step] = sampled_elements(output, self._elements, self._sizes)
        return output

    def recording(self) -> Recording | None:
        """The recording; None if the sampler left a step out or looked between two, or a value was not finite."""
        steps = range(self.timeline.steps)
        if self._between or any(step not in self._outputs for step in steps):
            return None
        states, outputs = (torch.stack([kept[step] for step in steps]) for kept in (self._states, self._outputs))
        if not (states.isfinite().all() and outputs.isfinite().all()):
            return None
        return Recording.of(self.timeline, states, outputs, self.shape, self._apart())

    def _apart(self) -> Tensor | None:
        """Differences `(N, P)` of the branches; None unless those of all steps are known and finite."""
        if len(self._differences) < self.timeline.steps:
            return None
        stacked = torch.stack([self._differences[step] for step in range(self.timeline.steps)])
        return stacked if stacked.isfinite().all() else None


class Follower:
    """Watch of the drift of the states `(1, C, ...)` from the recorded ones, by step."""

    def __init__(self, recording: Recording):
        self.recording = recording.balanced()
        self.drifts: dict[int, float] = {}

    def begin(self, sigma: float, state: Tensor) -> None:
        step = self.recording.step_of(sigma)
        if step is not None:
            self.drifts[step] = relative_l2(self.recording.sampled_elements(state), self.recording.states[step])

    def end(self, output: Tensor) -> Tensor:
        return output

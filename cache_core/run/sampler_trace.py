"""What a sampler does between two evaluations, told from the states that it asks about: whether it follows the model
alone."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

ELEMENTS = 512  # of a state that are looked at
FEWEST = 64  # below this nothing can be told apart
# evaluations that a multistep sampler may combine; fourth-order ones use four, predictor and corrector together six
PAST = 6
OUTPUTS = 3  # of each evaluation: guided, conditional, unconditional
FOREIGN = (
    0.01  # share of a displacement that the model's outputs leave unexplained, at most, where a sampler follows them
)
ROUNDING = 8.0  # units in the last place of the state that are no fault


class SamplerTrace:
    """Watches a sampling through a few elements of its states and outputs.

    A solver of the model's ODE only ever combines what it has: each state is a linear combination of earlier states
    and outputs. What is left of one after the best such combination came from elsewhere: new noise, or another
    node's edit. `foreign`: whether that has been seen. `rose`: whether the newest evaluation is further back in the
    sampling than the one before it, by more than a step.

    `free`: 1 where the sampler decides, as a flat mask of the state; None = everywhere. Elements that an inpainting
    mask holds are not looked at.
    """

    def __init__(self, free: Tensor | None = None):
        self.foreign = self.rose = False
        self._free, self._places = free, torch.empty(0, dtype=torch.long)
        self._states: deque[Tensor] = deque(maxlen=2)
        self._outputs: deque[list[Tensor]] = deque(maxlen=PAST)
        self._step = -1

    def begin(self, step: int, state: Tensor) -> None:
        """Before the evaluation of `state` at `step`."""
        self.rose = step < self._step - 1
        self._step = step
        if not len(self._places):
            self._places = _places(state.numel(), self._free).to(state.device)
        now = self._of(state).cpu().double()
        if self._states and len(now) >= FEWEST:
            self.foreign = self.foreign or self._unexplained(now) > self._allowed(state.dtype, now)
        self._states.append(now)

    def end(self, *outputs: Tensor) -> None:
        """After it: the guided output first, then what it was made of. Read at the next `begin`, so that nothing
        waits for the device now."""
        self._outputs.append([self._of(output) for output in outputs[:OUTPUTS]])

    def _of(self, value: Tensor) -> Tensor:
        flat = value.detach().flatten()
        return flat[self._places[self._places < len(flat)].to(flat.device)]

    def _unexplained(self, now: Tensor) -> float:
        """Share of the displacement from the last state that no combination of states and outputs explains."""
        moved = now - self._states[-1]
        found = [value.cpu().double() for outputs in self._outputs for value in outputs]
        known = torch.stack([*self._states, *(value for value in found if len(value) == len(now))], dim=1)
        size = known.norm(dim=0).clamp_min(1e-30)
        basis, kept, _ = torch.linalg.svd(known / size, full_matrices=False)
        basis = basis[:, kept > 1e-9 * kept[0]]
        return float((moved - basis @ (basis.T @ moved)).norm() / moved.norm().clamp_min(1e-30))

    def _allowed(self, dtype: torch.dtype, now: Tensor) -> float:
        moved = float((now - self._states[-1]).norm())
        return max(FOREIGN, ROUNDING * torch.finfo(dtype).eps * float(now.norm()) / max(moved, 1e-30))


def _places(size: int, free: Tensor | None) -> Tensor:
    """Indices of the elements that are looked at, evenly taken from those that are free."""
    allowed = torch.arange(size) if free is None else free.flatten()[:size].nonzero().flatten().cpu()
    return allowed[torch.linspace(0, max(0, len(allowed) - 1), min(ELEMENTS, len(allowed))).long()]

"""A sampler's steps between two evaluations, by the latents that it asks about: whether it follows the model alone."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

ELEMENTS = 512  # of a latent that are looked at
FEWEST = 64  # below this nothing can be told apart
# evaluations that a multistep sampler may combine; fourth-order ones use four, predictor and corrector together six
PAST = 6
OUTPUTS = 3  # of each evaluation: guided, conditional, unconditional
# the largest fraction of a displacement that the model's outputs leave unexplained, where a sampler follows them
FOREIGN = 0.01
ROUNDING = 8.0  # units in the last place of the latent that are no fault


class SamplerTrace:
    """Watches a sampling through a few elements of its latents and outputs.

    A solver of the model's ODE only ever combines its past: each latent is a linear combination of earlier latents and
    outputs. The rest of one after the best such combination came from elsewhere: new noise, or another node's edit.
    `foreign`: whether that has been seen. `rose`: whether the newest evaluation is further back in the sampling than
    the one before it, by more than a step.

    `free`: mask in the latent's shape, 1 where the sampler decides; None = everywhere. Elements that an inpainting mask
    holds are not looked at.
    """

    def __init__(self, free: Tensor | None = None):
        self.foreign = self.rose = False
        self._free, self._places = free, torch.empty(0, dtype=torch.long)
        self._latents: deque[Tensor] = deque(maxlen=2)
        self._outputs: deque[list[Tensor]] = deque(maxlen=PAST)
        self._step = -1

    def begin(self, step: int, latent: Tensor) -> None:
        """Before the evaluation of `latent` `(B, C, ...)` at `step`."""
        self.rose = step < self._step - 1
        self._step = step
        if not len(self._places):
            self._places = _places(latent.numel(), self._free).to(latent.device)
        now = self._of(latent).cpu().double()
        if self._latents and len(now) >= FEWEST:
            self.foreign = self.foreign or self._unexplained(now) > self._allowed(latent.dtype, now)
        self._latents.append(now)

    def end(self, *outputs: Tensor) -> None:
        """After it: its outputs `(B, C, ...)`, the guided one first, then those it was combined from. Read at the next
        `begin`, so that nothing waits for the device now."""
        self._outputs.append([self._of(output) for output in outputs[:OUTPUTS]])

    def _of(self, value: Tensor) -> Tensor:
        flat = value.detach().flatten()
        return flat[self._places[self._places < len(flat)].to(flat.device)]

    def _unexplained(self, now: Tensor) -> float:
        """Fraction of the displacement from the last latent that no combination of latents and outputs explains:
        `||d - U U^T d|| / ||d||`, U an orthonormal basis of them."""
        moved = now - self._latents[-1]
        outputs = [output.cpu().double() for past in self._outputs for output in past]
        known = torch.stack([*self._latents, *(output for output in outputs if len(output) == len(now))], dim=1)
        size = known.norm(dim=0).clamp_min(1e-30)
        basis, kept, _ = torch.linalg.svd(known / size, full_matrices=False)
        basis = basis[:, kept > 1e-9 * kept[0]]
        return float((moved - basis @ (basis.T @ moved)).norm() / moved.norm().clamp_min(1e-30))

    def _allowed(self, dtype: torch.dtype, now: Tensor) -> float:
        moved = float((now - self._latents[-1]).norm())
        return max(FOREIGN, ROUNDING * torch.finfo(dtype).eps * float(now.norm()) / max(moved, 1e-30))


def _places(size: int, free: Tensor | None) -> Tensor:
    """Indices `(n,)` of the elements that are looked at, n at most 512, evenly taken from the free ones."""
    allowed = torch.arange(size) if free is None else free.flatten()[:size].nonzero().flatten().cpu()
    return allowed[torch.linspace(0, max(0, len(allowed) - 1), min(ELEMENTS, len(allowed))).long()]

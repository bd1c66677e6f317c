"""Displacements of the output by sites that are reused, recorded in passing while a picture is computed in full."""

from typing import Any

import torch
from torch import Tensor

from ..site import Sites
from ..timeline import Timeline
from .recording import Recorder, sampled_elements


class SiteRecorder(Recorder):
    """Recorder of a run whose plan tries sets of sites: of the outputs `(1, C, ...)` with these reused it keeps how
    they are displaced."""

    def __init__(self, timeline: Timeline):
        super().__init__(timeline, branches=True)
        self._tried: dict[Sites, Tensor] = {}
        self._grams: dict[int, Tensor] = {}
        self.groups: tuple[Sites, ...] = ()

    def begin(self, sigma: float, state: Tensor) -> None:
        super().begin(sigma, state)
        self._tried = {}

    def tried(self, sites: Sites, output: Tensor) -> None:
        """Note the output with `sites` reused."""
        self._tried[sites] = self._sampled(output)

    def end(self, output: Tensor) -> Tensor:
        if self._tried and self._step is not None:
            own = self._sampled(output)
            apart = torch.stack([tried - own for tried in self._tried.values()]).double()
            self._grams[self._step] = apart @ apart.T / own.double().square().sum().clamp_min(1e-30)
            self.groups = tuple(self._tried)
        return super().end(output)

    def displaced(self) -> dict[str, Any] | None:
        """The sets of sites as `groups`, the `steps` that tried them, and `grams` of the displacements, relative to the
        output: see methods.Displaced. None where nothing could be reused, or a value was not finite."""
        grams = [self._grams[step] for step in sorted(self._grams)]
        if not grams or not all(gram.isfinite().all() and gram.any() for gram in grams):
            return None
        rows = tuple(tuple(map(tuple, gram.tolist())) for gram in grams)
        groups = tuple(tuple(sorted((kind.value, block) for kind, block in group)) for group in self.groups)
        return {"groups": groups, "steps": tuple(sorted(self._grams)), "grams": rows}

    def _sampled(self, output: Tensor) -> Tensor:
        return sampled_elements(output, self._elements, self._sizes)

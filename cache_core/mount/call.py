"""Submodules whose output is a site as it is."""

from torch import Tensor, nn

from .. import engine
from ..hosts import Call, submodule
from .part import Part, Tap
from .scoped import Forward


class CallPart(Part):
    label = "module outputs"

    def __init__(self, block: nn.Module, path: str, spec: Call, tap: Tap):
        super().__init__(tap)
        self.kind = spec.kind
        self.sites = spec.sites(path)
        for name, site in zip(spec.names, self.sites[spec.kind], strict=True):
            module = submodule(block, name)
            self.forwards.append((module, self._forward(module.forward, site)))

    def _forward(self, original: Forward, site: str) -> Forward:
        def forward(*args: object, **kwargs: object) -> Tensor:
            if not self.live:
                return original(*args, **kwargs)
            return engine.call(self.tap.sites, self.kind, site, lambda: original(*args, **kwargs))

        return forward

"""Submodules whose output is a site as it is."""

from dataclasses import replace

from torch import Tensor, nn

from ..hosts import Call, submodule
from ..run import engine
from ..run.engine import Source
from .mount import Mount
from .scoped import Forward


class CallMount(Mount):
    """Modules `(B, ...) -> (B, ...)` whose output is a site. A tuple is several sites; all are predicted, or none.
    Other objects in it are None where it is predicted."""

    def __init__(self, block: nn.Module, path: str, spec: Call, source: Source):
        super().__init__(source)
        self.kind, self.label = spec.kind, spec.kind.value
        self.layouts: dict[str, tuple[bool, ...]] = {}  # by submodule: which of its outputs are tensors
        found = {name: module for name in (*spec.names, *spec.extra) if (module := submodule(block, name)) is not None}
        self.sites = replace(spec, names=tuple(found), extra=()).sites(path)
        wrap = self._tuple if spec.is_tuple else self._tensor
        self.forwards = [(module, wrap(module.forward, f"{path}.{name}")) for name, module in found.items()]

    def _tensor(self, original: Forward, site: str) -> Forward:
        def forward(*args: object, **kwargs: object) -> Tensor:
            if not self.answers:
                return original(*args, **kwargs)
            return engine.call(self.source, self.kind, site, lambda: original(*args, **kwargs))

        return forward

    def _tuple(self, original: Forward, name: str) -> Forward:
        def forward(*args: object, **kwargs: object) -> tuple[Tensor | None, ...]:
            if not self.answers:
                return original(*args, **kwargs)
            layout, source = self.layouts.get(name, ()), self.source
            names = [f"{name}.{i}" for i, is_tensor in enumerate(layout) if is_tensor]
            if names and source.predicts(self.kind, *names):
                values = iter([source.predict(self.kind, site) for site in names])
                return tuple(next(values) if is_tensor else None for is_tensor in layout)
            outputs = original(*args, **kwargs)
            self.layouts[name] = tuple(isinstance(value, Tensor) for value in outputs)
            for i, value in enumerate(outputs):
                if isinstance(value, Tensor):
                    source.remember(self.kind, f"{name}.{i}", value)
            return outputs

        return forward

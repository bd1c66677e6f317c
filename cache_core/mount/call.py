"""Submodules whose output is a site as it is."""

from torch import Tensor, nn

from ..hosts import Call, submodule
from ..run import engine
from ..site import Kind
from .mount import Mount, Tap
from .scoped import Forward


class CallMount(Mount):
    """A submodule that returns a tuple is several sites; all are predicted, or none. What is no tensor in it is
    returned as it was."""

    label = "module outputs"

    def __init__(self, block: nn.Module, path: str, spec: Call, tap: Tap):
        super().__init__(tap)
        self.kind: Kind = spec.kind
        self.layouts: dict[str, tuple[bool, ...]] = {}  # by submodule: which of its outputs are tensors
        found = {name: module for name in spec.names if (module := submodule(block, name)) is not None}
        self.sites = {
            spec.kind: tuple(
                site for name in found for site in Call(spec.kind, (name,), spec.outputs).sites(path)[spec.kind]
            )
        }
        wrap = self._tensor if spec.outputs == 1 else self._tuple
        self.forwards = [(module, wrap(module.forward, f"{path}.{name}")) for name, module in found.items()]

    def _tensor(self, original: Forward, site: str) -> Forward:
        def forward(*args: object, **kwargs: object) -> Tensor:
            if not self.answers:
                return original(*args, **kwargs)
            return engine.call(self.tap.sites, self.kind, site, lambda: original(*args, **kwargs))

        return forward

    def _tuple(self, original: Forward, name: str) -> Forward:
        def forward(*args: object, **kwargs: object) -> tuple[Tensor | None, ...]:
            if not self.answers:
                return original(*args, **kwargs)
            layout, sites = self.layouts.get(name, ()), self.tap.sites
            names = [f"{name}.{i}" for i, is_tensor in enumerate(layout) if is_tensor]
            if names and sites.predicts(self.kind, *names):
                return tuple(
                    sites.predict(self.kind, f"{name}.{i}") if is_tensor else None for i, is_tensor in enumerate(layout)
                )
            outputs = original(*args, **kwargs)
            self.layouts[name] = tuple(isinstance(value, Tensor) for value in outputs)
            for i, value in enumerate(outputs):
                if isinstance(value, Tensor):
                    sites.remember(self.kind, f"{name}.{i}", value)
            return outputs

        return forward

"""The attention of a double-stream block, reached by its leaves: the block's own code runs, its expensive calls do
not."""

from torch import Tensor, nn

from ..hosts import Joint, required, submodule
from ..run.engine import Source
from ..site import Kind
from .mount import Mount, blank, can_skip_attention, no_attention, with_override
from .scoped import Forward


class JointMount(Mount):
    """Attention of streams `(B, L, C)`. Predicting it skips qkv, their norms, the rotary positions, the kernel and the
    projection."""

    label = "attention"

    def __init__(self, block: nn.Module, path: str, spec: Joint, source: Source):
        super().__init__(source)
        self.skipping = False
        names: list[str] = []
        for stream, site in zip((*spec.streams, *spec.extra), spec.sites(path)[Kind.ATTENTION], strict=True):
            attention = submodule(block, stream)
            if attention is None:
                continue
            qkv, proj = required(attention, "qkv"), submodule(attention, "proj")
            self.forwards.append((qkv, self._qkv(qkv.forward, 3 * getattr(attention, spec.unit))))
            norms = [required(attention, name) for name in spec.norms]
            self.forwards += [(norm, self._norm(norm.forward)) for norm in norms]
            if proj is not None:
                names.append(site)
                self.forwards.append((proj, self._proj(proj.forward, site)))
        self.sites = {Kind.ATTENTION: tuple(names)}

    def enter(self, kwargs: dict) -> dict:
        self.skipping = self.predicts(Kind.ATTENTION) and can_skip_attention(kwargs)
        if not self.skipping:
            return kwargs
        return with_override(kwargs, no_attention, **({"pe": None} if "pe" in kwargs else {}))

    def leave(self) -> None:
        self.skipping = False

    def _qkv(self, original: Forward, width: int) -> Forward:
        def forward(x: Tensor) -> Tensor:
            return blank(x, width) if self.skipping else original(x)

        return forward

    def _norm(self, original: Forward) -> Forward:
        def forward(*qk: Tensor) -> Tensor | tuple[Tensor, ...]:
            if self.skipping:
                return qk[0] if len(qk) == 1 else qk[:2]
            return original(*qk)

        return forward

    def _proj(self, original: Forward, site: str) -> Forward:
        def forward(x: Tensor) -> Tensor:
            if self.skipping:
                return self.source.predict(Kind.ATTENTION, site)
            value = original(x)
            if self.answers:
                self.source.remember(Kind.ATTENTION, site, value)
            return value

        return forward

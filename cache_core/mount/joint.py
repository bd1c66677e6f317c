"""The attention of a double-stream block, reached by its leaves: the block's own code runs, its expensive calls do not."""

from torch import Tensor, nn

from ..hosts import Joint, submodule
from ..site import Kind
from .part import Part, Tap, blank, can_skip_attention, no_attention, with_override
from .scoped import Forward


class JointPart(Part):
    """Predicting attention skips qkv, their norm, the rotary positions, the kernel and the projection."""

    label = "attention"

    def __init__(self, block: nn.Module, path: str, spec: Joint, tap: Tap):
        super().__init__(tap)
        self.skipping = False
        self.sites = spec.sites(path)
        for stream, site in zip(spec.streams, self.sites[Kind.ATTENTION], strict=True):
            attention = submodule(block, stream)
            qkv, norm, proj = attention.qkv, attention.norm, attention.proj
            self.forwards += [(qkv, self._qkv(qkv.forward, 3 * attention.num_heads)), (norm, self._norm(norm.forward)),
                              (proj, self._proj(proj.forward, site))]

    def enter(self, kwargs: dict) -> dict:
        self.skipping = self.predicts(Kind.ATTENTION) and can_skip_attention(kwargs)
        return with_override(kwargs, no_attention, pe=None) if self.skipping else kwargs

    def leave(self) -> None:
        self.skipping = False

    def _qkv(self, original: Forward, width: int) -> Forward:
        def forward(x: Tensor) -> Tensor:
            return blank(x, width) if self.skipping else original(x)

        return forward

    def _norm(self, original: Forward) -> Forward:
        def forward(q: Tensor, k: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
            return (q, k) if self.skipping else original(q, k, *rest)

        return forward

    def _proj(self, original: Forward, site: str) -> Forward:
        def forward(x: Tensor) -> Tensor:
            if self.skipping:
                return self.tap.sites.predict(Kind.ATTENTION, site)
            value = original(x)
            if self.live:
                self.tap.sites.remember(Kind.ATTENTION, site, value)
            return value

        return forward

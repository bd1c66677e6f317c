"""The fallback for blocks whose weights cannot be sliced: only the attention kernel is predicted."""

from collections.abc import Callable

from torch import Tensor

from ..run.engine import Source
from ..site import Kind
from .mount import OVERRIDE, Mount, can_skip_attention, with_override


class KernelMount(Mount):
    """Works for every kind of weight. The linear layers run; the output `(B, L, C)` of the attention between them may
    be predicted."""

    label = "attention kernel"
    alone = "only the attention kernel is"

    def __init__(self, path: str, source: Source):
        super().__init__(source)
        self.site = f"{path}.kernel"
        self.sites = {Kind.ATTENTION: (self.site,)}

    def enter(self, kwargs: dict) -> dict:
        if not can_skip_attention(kwargs):
            return kwargs
        if self.predicts(Kind.ATTENTION):
            return with_override(kwargs, self._predict, pe=None)
        return with_override(kwargs, self._observe(kwargs["transformer_options"].get(OVERRIDE)))

    def _predict(self, _: Callable[..., Tensor], *args: object, **kwargs: object) -> Tensor:
        return self.source.predict(Kind.ATTENTION, self.site)

    def _observe(self, chained: Callable[..., Tensor] | None) -> Callable[..., Tensor]:
        def attention(kernel: Callable[..., Tensor], *args: object, **kwargs: object) -> Tensor:
            value = chained(kernel, *args, **kwargs) if chained else kernel(*args, **kwargs)
            self.source.remember(Kind.ATTENTION, self.site, value)
            return value

        return attention

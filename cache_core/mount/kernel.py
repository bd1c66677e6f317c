"""The fallback for blocks whose weights cannot be sliced: only the attention kernel is predicted."""

from collections.abc import Callable

from torch import Tensor

from ..site import Kind
from .mount import OVERRIDE, Mount, Tap, can_skip_attention, with_override


class KernelMount(Mount):
    """Works for every kind of weight. The linear layers run; the output of the attention between them may be a
    predicted one."""

    label = "attention kernel only"

    def __init__(self, path: str, tap: Tap):
        super().__init__(tap)
        self.site = f"{path}.kernel"
        self.sites = {Kind.ATTENTION: (self.site,)}

    def enter(self, kwargs: dict) -> dict:
        if not can_skip_attention(kwargs):
            return kwargs
        if self.predicts(Kind.ATTENTION):
            return with_override(kwargs, self._predict, pe=None)
        return with_override(kwargs, self._observe(kwargs["transformer_options"].get(OVERRIDE)))

    def _predict(self, _: Callable[..., Tensor], *args: object, **kwargs: object) -> Tensor:
        return self.tap.sites.predict(Kind.ATTENTION, self.site)

    def _observe(self, chained: Callable[..., Tensor] | None) -> Callable[..., Tensor]:
        def attention(kernel: Callable[..., Tensor], *args: object, **kwargs: object) -> Tensor:
            value = chained(kernel, *args, **kwargs) if chained else kernel(*args, **kwargs)
            self.tap.sites.remember(Kind.ATTENTION, self.site, value)
            return value

        return attention

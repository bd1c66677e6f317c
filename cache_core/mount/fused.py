"""A single-stream block, whose attention and MLP share a first and a last linear layer."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from ..hosts import Fused, required
from ..run.engine import Source
from ..site import Kind
from .mount import Mount, ReadWeights, blank, can_skip_attention, no_attention, with_override

ATTENTION, MLP = Kind.ATTENTION, Kind.MLP


class FusedMount(Mount):
    """Attention and MLP of one stream `(B, L, C)`. The last layer is linear, so its output is the attention's addend
    plus the MLP's, `(B, L, C)` each: the two sites.

    A computed call runs the untouched fused layers; when its values are needed later, one more product with the
    attention columns tells the addends apart. A call that predicts one kind multiplies only the other kind's rows and
    columns.
    """

    label = "attention and mlp"

    def __init__(self, block: nn.Module, path: str, spec: Fused, source: Source, read: ReadWeights):
        super().__init__(source)
        if getattr(block, "yak_mlp", False):
            raise TypeError("its MLP is gated outside its activation")
        self.read, self.predicted = read, frozenset[Kind]()
        self.first, self.last, norm, act = (required(block, name) for name in spec.needs)
        self.width = cast(int, block.hidden_size)
        self.sites = spec.sites(path)
        self._first, self._last, self._norm, self._act = (m.forward for m in (self.first, self.last, norm, act))
        self.forwards = [
            (self.first, self.project_in),
            (self.last, self.project_out),
            (norm, self.normalise),
            (act, self.activate),
        ]

    def enter(self, kwargs: dict) -> dict:
        predicted = {kind for kind in self.sites if self.predicts(kind)}
        if not can_skip_attention(kwargs):
            predicted.discard(ATTENTION)
        self.predicted = frozenset(predicted)
        return with_override(kwargs, no_attention, pe=None) if ATTENTION in predicted else kwargs

    def leave(self) -> None:
        self.predicted = frozenset()

    def project_in(self, x: Tensor) -> Tensor:
        """The first layer's output `(B, L, 3 C + MLP)` for `x` `(B, L, C)`; the features of a predicted kind are 0."""
        if not self.predicted:
            return self._first(x)
        features, qkv = cast(int, self.first.out_features), 3 * self.width
        if len(self.predicted) == 2:
            return blank(x, features)
        rows = slice(qkv, None) if ATTENTION in self.predicted else slice(0, qkv)
        # Not empty: recycled memory may hold the right values and pass the check.
        out = x.new_zeros(*x.shape[:-1], features)
        with self.read(self.first, x) as (weight, bias):
            out[..., rows] = F.linear(x, weight[rows], None if bias is None else bias[rows])
        return out

    def normalise(self, q: Tensor, k: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys `(B, heads, L, D)`, normalised unless attention is predicted."""
        return (q, k) if ATTENTION in self.predicted else self._norm(q, k, *rest)

    def activate(self, wide: Tensor) -> Tensor:
        """The MLP's activation of `wide` `(B, L, MLP)`; without features if the MLP is predicted."""
        return wide[..., :0] if MLP in self.predicted else self._act(wide)

    def project_out(self, x: Tensor) -> Tensor:
        """The last layer's output `(B, L, C)` for `x` `(B, L, features)`: attention's, then the MLP's, without those of
        a predicted kind."""
        if self.predicted:
            return self._addend(ATTENTION, x) + self._addend(MLP, x)
        out = self._last(x)
        if self.answers:
            self._keep(x, out)
        return out

    def _addend(self, kind: Kind, x: Tensor) -> Tensor:
        (site,) = self.sites[kind]
        if kind in self.predicted:
            return self.source.predict(kind, site)
        with self.read(self.last, x) as (weight, bias):
            attention = kind is ATTENTION
            value = F.linear(x, weight[:, : self.width]) if attention else F.linear(x, weight[:, self.width :], bias)
        self.source.remember(kind, site, value)
        return value

    def _keep(self, x: Tensor, out: Tensor) -> None:
        """Tell the two addends of a computed output `(B, L, C)` apart, if either is needed."""
        source, attention, mlp = self.source, out, out
        if source.keeps(ATTENTION) or source.keeps(MLP):
            with self.read(self.last, x) as (weight, _):
                attention = F.linear(x[..., : self.width], weight[:, : self.width])
            mlp = out - attention
        for kind, value in ((ATTENTION, attention), (MLP, mlp)):
            source.remember(kind, self.sites[kind][0], value)

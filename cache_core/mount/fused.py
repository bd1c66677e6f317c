"""A single-stream block, whose attention and MLP share a first and a last linear layer."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..hosts import Fused, submodule
from ..site import Kind
from .mount import Mount, ReadWeights, Tap, blank, can_skip_attention, no_attention, with_override

ATTENTION, MLP = Kind.ATTENTION, Kind.MLP


class FusedMount(Mount):
    """The last layer is linear, so its output is the attention's share plus the MLP's: each is a site.

    A computed call runs the untouched fused layers; when its values are needed later, one more product with the
    attention columns tells the shares apart. A call that predicts one kind multiplies only the other kind's rows and
    columns.
    """

    label = "attention and mlp"

    def __init__(self, block: nn.Module, path: str, spec: Fused, tap: Tap, read: ReadWeights):
        super().__init__(tap)
        if getattr(block, "yak_mlp", False):
            raise TypeError("its MLP is gated outside its activation")
        self.read, self.predicted = read, frozenset()
        self.first, self.last, norm, act = (submodule(block, name) for name in spec.needs)
        self.width = block.hidden_size
        self.sites = spec.sites(path)
        self._first, self._last, self._norm, self._act = (
            self.first.forward,
            self.last.forward,
            norm.forward,
            act.forward,
        )
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
        """The first layer's output; the part that belongs to a predicted kind is zero."""
        if not self.predicted:
            return self._first(x)
        features, qkv = self.first.out_features, 3 * self.width
        if len(self.predicted) == 2:
            return blank(x, features)
        rows = slice(qkv, None) if ATTENTION in self.predicted else slice(0, qkv)
        out = x.new_zeros(
            *x.shape[:-1], features
        )  # not empty: recycled memory may hold the right values and pass the check
        with self.read(self.first, x) as (weight, bias):
            out[..., rows] = F.linear(x, weight[rows], None if bias is None else bias[rows])
        return out

    def normalise(self, q: Tensor, k: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        return (q, k) if ATTENTION in self.predicted else self._norm(q, k, *rest)

    def activate(self, wide: Tensor) -> Tensor:
        return wide[..., :0] if MLP in self.predicted else self._act(wide)

    def project_out(self, x: Tensor) -> Tensor:
        """The last layer's output for `x`: attention then MLP features, those of a predicted kind missing."""
        if self.predicted:
            return self._share(ATTENTION, x) + self._share(MLP, x)
        out = self._last(x)
        if self.answers:
            self._keep(x, out)
        return out

    def _share(self, kind: Kind, x: Tensor) -> Tensor:
        sites, (site,) = self.tap.sites, self.sites[kind]
        if kind in self.predicted:
            return sites.predict(kind, site)
        with self.read(self.last, x) as (weight, bias):
            attention = kind is ATTENTION
            value = F.linear(x, weight[:, : self.width]) if attention else F.linear(x, weight[:, self.width :], bias)
        sites.remember(kind, site, value)
        return value

    def _keep(self, x: Tensor, out: Tensor) -> None:
        """Tell the two shares of a computed output apart, if either is needed."""
        sites = self.tap.sites
        attention = mlp = out
        if sites.keeps(ATTENTION) or sites.keeps(MLP):
            with self.read(self.last, x) as (weight, _):
                attention = F.linear(x[..., : self.width], weight[:, : self.width])
            mlp = out - attention
        sites.remember(ATTENTION, *self.sites[ATTENTION], attention)
        sites.remember(MLP, *self.sites[MLP], mlp)

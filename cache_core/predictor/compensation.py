"""Variance compensation of Q&C (arXiv 2503.02508): each channel of a reused output, scaled about its recorded mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..timeline import same

if TYPE_CHECKING:
    from torch import Tensor

LEAST, MOST = 0.8, 1.25  # gains; one that was fitted without its own consequences corrects too much
Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Compensation:
    """`y = mu + k (v - mu)` for each channel of an output v of step i - m that is reused at step i.

    `sigmas` `(N,)`: of the recorded steps. `means` `(N, C)`: mu, of the recorded output of step i. `gains`
    `(M, N, C)`: k, for m = 1 to M, held in [0.8, 1.25].
    """

    sigmas: Numbers
    means: tuple[Numbers, ...]
    gains: tuple[tuple[Numbers, ...], ...]

    def applied(self, value: "Tensor", node: float, at: float) -> "Tensor":
        """The output `(B, C, ...)` of the sigma `node`, compensated for its reuse at the sigma `at`; as it is where no
        such pair of steps was recorded."""
        step, source = self._step(at), self._step(node)
        if step is None or source is None or not 0 < step - source <= len(self.gains):
            return value
        mean = _by_channel(value, self.means[step])
        gain = _by_channel(value, self.gains[step - source - 1][step]).clamp(LEAST, MOST)
        return (mean + gain * (value.float() - mean)).to(value.dtype)

    def _step(self, sigma: float) -> int | None:
        return next((step for step, known in enumerate(self.sigmas) if same(known, sigma)), None)


def _by_channel(value: "Tensor", numbers: Sequence[float]) -> "Tensor":
    """A number for each channel, shaped to go with `value`: `(1, C, 1, ...)` in float32."""
    return value.float().new_tensor(numbers).view(1, -1, *(1,) * (value.ndim - 2))


def gain(value: "Tensor", reused: "Tensor", mean: "Tensor") -> "Tensor":
    """The least-squares k `(C,)` of `value = mean + k (reused - mean)`, of tensors `(C, P)` and their mean `(C,)`; 1
    where the reused value does not vary.

    `k = sum (v - mu)(r - mu) / sum (r - mu)^2`. The published one weighs by `1 + 1 / r^2`, which has no bound where a
    value is near 0.
    """
    centred = reused - mean.unsqueeze(-1)
    power = centred.square().sum(-1)
    found = ((value - mean.unsqueeze(-1)) * centred).sum(-1) / power.clamp_min(1e-30)
    return found.where(power > 0, found.new_ones(()))

"""Response of a sampler: its states as linear combinations of the model's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Response:
    """Numbers by which a sampler of N steps weighs the model's outputs v: `x_j = c_j x_0 + sum_{i<j} L_ji v_i`.

    x_j is the state before step j, x_N the final one. `start` `(N + 1,)`: c. `outputs` `(N + 1, N)`: L. A sampler that
    adds no noise only ever combines its past, whatever its order, so these numbers are all that a plan needs to know
    of it: an error d of the output of step i displaces the final state by `L_Ni d`, once the sampler has used the
    output for the last time.
    """

    start: tuple[float, ...]
    outputs: tuple[tuple[float, ...], ...]

    @property
    def final(self) -> tuple[float, ...]:
        """Displacement of the final state by a unit of each output, `(N,)`."""
        return self.outputs[-1]

    @classmethod
    def of_euler(cls, sigmas: Sequence[float]) -> Response:
        """The response of Euler's rule, `x_{i+1} = x_i + (s_{i+1} - s_i) v_i`, for outputs that are slopes dx/ds."""
        steps = len(sigmas) - 1
        moves = [after - at for at, after in zip(sigmas, sigmas[1:], strict=False)]
        return cls((1.0,) * (steps + 1), tuple((*moves[:j], *(0.0,) * (steps - j)) for j in range(steps + 1)))

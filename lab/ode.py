"""The ODE of a flow model, as every solver of the lab is given it."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]  # dx/dsigma, shaped like x, at x and sigma


def falling(sigmas: Sequence[float]) -> tuple[float, ...]:
    """Sigmas as numbers. Raises ValueError unless they fall and stay at or above 0."""
    nodes = tuple(map(float, sigmas))
    if any(after >= sigma for sigma, after in pairwise(nodes)) or min(nodes, default=0.0) < 0:
        raise ValueError(
            f"sigmas are {nodes}; a solver needs them strictly falling and not below 0. Sort them and drop the doubles."
        )
    return nodes

"""The response of a sampler, read off a sampling of unit outputs."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..response import Response
from ..timeline import Timeline, same

MOST_PROBED = 250  # steps; the response of more would take longer to read than it is worth
Output = Callable[[Tensor, float], Tensor]  # state `(1, C, 1, 1)` and sigma to the model's raw output there


class UnprobedError(Exception):
    """The sampler asks the model elsewhere than at its steps."""


def probed(
    solve: Callable[[Output, Tensor], Tensor], timeline: Timeline, dtype: torch.dtype = torch.float64
) -> Response | None:
    """The response of `solve`, which samples from a state `(1, N + 1, 1, 1)` of `dtype` with a model; None if it
    leaves a step out, asks between two steps, or is asked for more than 250.

    The first channel of the state is 1 at the start, and the output of step i is 1 in channel i + 1: the channels of a
    state are its numbers c and L_i.
    """
    steps = timeline.steps
    if steps > MOST_PROBED:
        return None
    units = torch.eye(steps + 1, dtype=dtype).reshape(steps + 1, 1, steps + 1, 1, 1)
    states: dict[int, Tensor] = {}

    def output(state: Tensor, sigma: float) -> Tensor:
        step = timeline.step_of(sigma)
        if not same(sigma, timeline.sigmas[step]):
            raise UnprobedError(f"sigma {sigma:g} lies between two steps")
        states[step] = state.detach().clone()
        return units[step + 1]

    try:
        final = solve(output, units[0].clone())
    except UnprobedError:
        return None
    if set(states) != set(range(steps)):
        return None
    rows = torch.stack([*(states[step] for step in range(steps)), final]).reshape(steps + 1, steps + 1)
    if not rows.isfinite().all():
        return None
    return Response(tuple(rows[:, 0].tolist()), tuple(map(tuple, rows[:, 1:].tolist())))

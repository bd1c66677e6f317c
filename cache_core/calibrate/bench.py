"""The model, sampler and prompt that a calibration samples with, alike in the lab and in ComfyUI."""

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from ..plan import Plan
from ..timeline import Timeline


class Watch(Protocol):
    """An onlooker of a sampling, called once for each evaluation. States and outputs: `(1, C, ...)`."""

    def begin(self, sigma: float, state: Tensor) -> None:
        """Before the evaluation of `state` at `sigma`."""
        ...

    def end(self, output: Tensor) -> Tensor:
        """After it: the output with which the sampling goes on, in place of the guided raw `output`."""
        ...


class TrialWatch(Watch, Protocol):
    """An onlooker of a run with trials (Plan.trials). Outputs: `(1, C, ...)`."""

    def tried(self, kinds: frozenset[Any], output: Tensor) -> None:
        """Between `begin` and `end`, once for each trial: the guided raw output with `kinds`, or sites, predicted."""
        ...


@runtime_checkable
class BranchWatch(Protocol):
    """An onlooker that is told, between `begin` and `end`, how far the branches of the guidance are apart."""

    def differed(self, difference: Tensor) -> None:
        """The raw unconditional output minus the conditional one, `(1, C, ...)`."""
        ...


class Watches:
    """Several watches as one. The output `(1, C, ...)` of the first is given to the next."""

    def __init__(self, *watches: Watch | None):
        self.watches = tuple(watch for watch in watches if watch is not None)

    def begin(self, sigma: float, state: Tensor) -> None:
        for watch in self.watches:
            watch.begin(sigma, state)

    def tried(self, kinds: frozenset[Any], output: Tensor) -> None:
        for watch in self.watches:
            if hasattr(watch, "tried"):
                watch.tried(kinds, output)

    def differed(self, difference: Tensor) -> None:
        for watch in self.watches:
            if isinstance(watch, BranchWatch):
                watch.differed(difference)

    def end(self, output: Tensor) -> Tensor:
        for watch in self.watches:
            output = watch.end(output)
        return output


class Bench(Protocol):
    """One model, sampler and prompt."""

    timeline: Timeline

    def sample(self, number: int, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        """Final latent `(1, C, ...)` of calibration sample `number`, from 0 on; the same for a number each time."""
        ...

"""What a calibration samples with, so that it runs alike in the lab and in ComfyUI."""

from typing import Protocol

from torch import Tensor

from ..plan import Plan
from ..site import Kind
from ..timeline import Timeline


class Watch(Protocol):
    """What looks on while a run samples."""

    def begin(self, sigma: float, state: Tensor) -> None:
        """Before an evaluation at `sigma` of `state`."""
        ...

    def end(self, output: Tensor) -> Tensor:
        """After it: what the sampling goes on with in place of the guided raw output `output`; that itself, as a rule."""
        ...


class TrialWatch(Watch, Protocol):
    """What looks on while a run with trials samples (Plan.trials)."""

    def tried(self, kinds: frozenset[Kind], output: Tensor) -> None:
        """Between the two, once for each trial: the guided raw output with `kinds` predicted."""
        ...


class Bench(Protocol):
    """One model, sampler and prompt. `scale`: what a unit of output adds to the state per unit of sigma, at each
    step (1 for flow models). `signal`: share of the clean latent in the state, at each step (1 - sigma for flow
    models)."""

    timeline: Timeline
    scale: tuple[float, ...]
    signal: tuple[float, ...]

    def sample(self, number: int, plans: tuple[Plan, ...] = (), watch: Watch | None = None) -> Tensor:
        """The final latent `(1, C, ...)` of calibration sample `number`, from 0 on; the same one for a number
        whenever it is asked for."""
        ...

    def noised(self, number: int, watch: Watch) -> None:
        """Let the model see, without a cache, the uncached sample `number` with fresh noise on it, at the sigma of
        each step."""
        ...

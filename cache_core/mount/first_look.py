"""The modulated input of a model's first block: the block is run up to it, by its own code, and begun anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..hosts import Blocks, submodule
from ..run.readings import Patch
from ..run.run import Run
from ..site import MODULES
from .scoped import Forward, overridden


class Reached(BaseException):
    """Raised where the modulated input is asked for; no handler within a block is meant. `value`: the input."""

    def __init__(self, value: object):
        self.value = value


def _stop(*args: Any, **kwargs: Any) -> Any:
    """A forward that goes no further, with its first argument."""
    raise Reached(args[0] if args else next(iter(kwargs.values()), None))


class FirstLook:
    """A forward of the first block of a model, which has the run's decision taken before it computes.

    Nothing has been written by then: a block changes its streams only once its attention is done. `patch`: latent cells
    to a token along each axis, to find the latent grid again, where a filter needs it.
    """

    def __init__(self, model: nn.Module, spec: Blocks, block: nn.Module, run: Run):
        self.block, self.run, self.original = block, run, block.forward
        self.at, self.patch = submodule(block, spec.modulated), patch_of(model)
        self.path = f"{spec.path}.0"

    def opening(self, begin: Callable[[], object]) -> list[tuple[nn.Module, Forward]]:
        """The forward for the coming model call. `begin`: sets the forwards of the decided call, this block's too."""

        def forward(*args: Any, **kwargs: Any) -> Any:
            if self.run.evaluation.open and (reached := self._looked(args, kwargs)) is not None:
                return reached
            if not begun:
                begun.append(begin())
            after = self.block.__dict__.get("forward", forward)
            return (self.original if after is forward else after)(*args, **kwargs)

        begun: list[object] = []
        return [(self.block, forward)]

    def _looked(self, args: tuple, kwargs: dict) -> Any:
        """The block's output, if it has been computed in passing because the input was never asked for; else None, and
        the decision is taken."""
        assert self.at is not None
        try:
            with overridden([(self.at, _stop)]):
                out = self.original(*args, **kwargs)
        except Reached as reached:
            self.run.judge(reached.value if isinstance(reached.value, Tensor) else None, self.patch)
            return None
        self.lost()
        return out

    def lost(self) -> None:
        """The first block has not shown its input: everything is computed from now on."""
        self.run.judge(None)
        self.run.bar(MODULES, f"{self.path} does not show its input, by which steps are chosen: every step is computed")


def patch_of(model: nn.Module) -> Patch:
    """Latent cells to a token, along each axis or along height and width, as the model says; 1 where it does not."""
    found = getattr(model, "patch_size", getattr(getattr(model, "patchifier", None), "patch_size", 1))
    return found if isinstance(found, int) else tuple(found)

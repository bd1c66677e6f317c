"""First blocks, which run at every step: a measure of them decides, behind them, about the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..hosts import Blocks
from ..run.run import Run
from ..site import MODULES
from .arguments import Arguments
from .scoped import Forward

TEXT = ("encoder_hidden_states", "c", 0)  # arguments that are streams of a text, where another one follows


class FirstBlocks:
    """Forwards that measure the first blocks, `kept`, of the list `spec`, and have the run's decision taken when the
    block `first`, behind them, is reached: no block runs twice.

    Of several streams the picture's counts. The value is its residual over these blocks, or what they return,
    `(B, L, C)`.
    """

    def __init__(self, spec: Blocks, kept: list[nn.Module], first: nn.Module, run: Run):
        self.kept, self.first, self.run, self.path = kept, first, run, spec.path
        names = [name for name in spec.carries if name not in TEXT] or [*spec.carries]
        self.place, self.name = spec.carries.index(names[0]), names[0]
        self._own = {block: block.forward for block in (kept[0], kept[-1], first)}
        self._arguments = Arguments(self._own[kept[0]])
        self._value: Tensor | None = None

    def opening(self, begin: Callable[[], object]) -> list[tuple[nn.Module, Forward]]:
        """The forwards for the coming model call. `begin`: sets the forwards of the decided call."""
        self._value = None
        measured = {block: self._measuring(block) for block in (self.kept[0], self.kept[-1])}
        return [*measured.items(), (self.first, self._opening(begin))]

    def lost(self) -> None:
        """The blocks have not run as they should: everything is computed from now on."""
        self.run.judge(None)
        self.run.bar(MODULES, f"{self.path}: its first blocks are not run one after the other: every step is computed")

    def _measuring(self, block: nn.Module) -> Forward:
        own = self._own[block]

        def forward(*args: Any, **kwargs: Any) -> Any:
            if block is self.kept[0]:
                with self.run.outside():  # blocks write into what they are given
                    self._value = self._arguments.value(self.name, args, kwargs).clone()
            out = own(*args, **kwargs)
            if block is self.kept[-1]:
                self._value = self._added(out)
            return out

        return forward

    def _added(self, out: Any) -> Tensor | None:
        """The value, once the last of the blocks has returned `out`."""
        after = out if isinstance(out, Tensor) else out[self.place]
        before = self._value
        if before is None or not isinstance(after, Tensor) or after.shape != before.shape:
            return None
        with self.run.outside():
            return after - before if self.run.looks_at_residual else after.clone()

    def _opening(self, begin: Callable[[], object]) -> Forward:
        def forward(*args: Any, **kwargs: Any) -> Any:
            if not begun:
                value, self._value = self._value, None
                self.run.judge(value)
                begun.append(begin())
            after = self.first.__dict__.get("forward", forward)
            return (self._own[self.first] if after is forward else after)(*args, **kwargs)

        begun: list[object] = []
        return forward

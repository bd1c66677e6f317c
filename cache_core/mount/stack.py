"""A list of blocks as one site for each of its streams: what the list adds to it."""

import inspect

from torch import Tensor, nn

from ..run import Run
from ..site import MODULES, Kind
from .part import is_edited
from .scoped import Forward


class Stack:
    """Where attention and MLP are only ever predicted together, the list's first block adds the residual and the others pass on what they get.

    `carries`: the blocks' arguments that are streams, in the order in which they are returned. A residual is the list's last output less its
    first input and less what was added between two blocks (ControlNet), which the model's own code adds again. `sound` turns
    False when the blocks turn out not to work like this.
    """

    def __init__(self, blocks: list[nn.Module], path: str, carries: tuple[str | int, ...], run: Run, counts: dict[Kind, int]):
        self.run, self.path, self.carries, self.counts, self.sound = run, path, carries, counts, True
        self.sites = tuple(f"{path}.{name}" for name in carries)
        self.forwards = [(block, self._forward(block.forward, i == len(blocks) - 1)) for i, block in enumerate(blocks)]
        self.begin()

    def begin(self) -> None:
        """A new call of the model."""
        self._entered = self._predicted = False
        self._base: list[Tensor] | None = None  # what the list was given, from its first block on and between two; None: nothing is kept
        self._passed: list[Tensor] = []  # what the last block returned

    def _forward(self, original: Forward, last: bool) -> Forward:
        places = {name: place for place, name in enumerate(inspect.signature(original).parameters)}

        def forward(*args: object, **kwargs: object) -> object:
            streams = [kwargs[name] if name in kwargs else args[places.get(name, name)] for name in self.carries]
            if not self._entered:
                self._enter(streams, is_edited(kwargs))
                if self._predicted:
                    return self._returned([x + self.run.predict(Kind.BLOCKS, site) for x, site in zip(streams, self.sites, strict=True)])
            if self._predicted:
                return self._returned(streams)
            if self._base is None:
                return original(*args, **kwargs)
            return self._computed(original, args, kwargs, streams, last)

        return forward

    def _enter(self, streams: list[Tensor], edited: bool) -> None:
        """The first block that this call reaches."""
        self._entered = True
        if edited:
            self._give_up("another node edits its streams between the blocks")
        self._predicted = self.sound and self.run.predicts(Kind.BLOCKS, *self.sites)
        for kind in MODULES:
            counter = self.run.evaluation.predicted_calls if self._predicted else self.run.evaluation.computed_calls
            counter[kind] += self.counts[kind]
        if self.sound and not self._predicted and self.run.keeps(Kind.BLOCKS):
            self._base = [x.clone() for x in streams]  # copies: blocks write into what they are given and return

    def _returned(self, streams: list[Tensor]) -> object:
        return streams[0] if len(streams) == 1 else tuple(streams)

    def _computed(self, original: Forward, args: tuple, kwargs: dict, streams: list[Tensor], last: bool) -> object:
        for base, passed, x in zip(self._base, self._passed, streams, strict=False):
            base.add_(passed.neg_().add_(x))  # zero, exactly, where nothing was added
        out = original(*args, **kwargs)
        outputs = (out,) if isinstance(out, Tensor) else out
        after = [given if x is None else x for x, given in zip(outputs, streams, strict=False)]  # the last block may drop a stream
        if len(outputs) != len(streams) or [x.shape for x in after] != [x.shape for x in self._base]:
            self._give_up("its blocks do not return what they are given")
        elif last:
            self._remember(after)
        else:
            self._passed = [x.clone() for x in after]
        return out

    def _remember(self, after: list[Tensor]) -> None:
        for site, x, base in zip(self.sites, after, self._base, strict=True):
            self.run.remember(Kind.BLOCKS, site, x - base)
        self._base, self._passed = None, []

    def _give_up(self, reason: str) -> None:
        self.sound, self._base, self._passed = False, None, []
        self.run.demote(f"{self.path} ({reason}): every site is kept")

"""A list of blocks as one site for each of its streams: what the list adds to it."""

import inspect

from torch import Tensor, nn

from ..run import Run
from ..site import MODULES, Kind
from .scoped import Forward

Forwards = list[tuple[nn.Module, Forward]]


class Stack:
    """Where attention and MLP are only ever predicted together, the list's first block adds the residual and the others pass on what they get.

    `carries`: the blocks' arguments that are streams, in the order in which they are returned. A residual is the list's last output less its
    first input and less what was added between two blocks (ControlNet), which the model's own code adds again. `sound` turns
    False when the blocks turn out not to work like this.

    The run is asked before the model call (`begin`) and told after it (`end`). In between only tensors move, so that a compiled model has one
    graph that predicts and one that keeps, and neither is made again when the run goes on.
    """

    def __init__(self, blocks: list[nn.Module], path: str, carries: tuple[str | int, ...], run: Run, counts: dict[Kind, int]):
        self.run, self.path, self.carries, self.counts, self.sound = run, path, carries, counts, True
        self.sites = tuple(f"{path}.{name}" for name in carries)
        self._predicting = [(block, self._predict(self._places(block))) for block in blocks]
        self._keeping = [(block, self._keep(block.forward, self._places(block), i == len(blocks) - 1)) for i, block in enumerate(blocks)]
        self.drop()

    def begin(self) -> Forwards:
        """Decide for the coming model call: the forwards that predict, that keep, or none."""
        self.drop()
        predicted = self.run.predicts(Kind.BLOCKS, *self.sites)
        counter = self.run.evaluation.predicted_calls if predicted else self.run.evaluation.computed_calls
        for kind in MODULES:
            counter[kind] += self.counts[kind]
        if predicted:
            self._added = [self.run.predict(Kind.BLOCKS, site) for site in self.sites]
            return self._predicting
        return self._keeping if self.run.keeps(Kind.BLOCKS) else []

    def watch(self) -> Forwards:
        """The forwards for a call whose streams are only looked at: a residual is as large."""
        block, _ = self._keeping[0]
        return [(block, self._watch(block.forward, self._places(block)))]

    def end(self) -> None:
        """The model call is done: what it added goes to the run."""
        if self._fault:
            self.give_up(self._fault)
        for site, value in zip(self.sites, self._residuals, strict=False):
            self.run.remember(Kind.BLOCKS, site, value)

    def drop(self) -> None:
        """Hold no tensor any more."""
        self._entered, self._fault = False, ""
        self._added: list[Tensor] = []  # what a predicted list adds to its streams
        self._base: list[Tensor] = []  # what a computed list was given, from its first block on and between two
        self._passed: list[Tensor] = []  # what its last block returned
        self._residuals: list[Tensor] = []  # what it added, once its end is reached

    def give_up(self, reason: str) -> None:
        """Merge no more from the next call on."""
        self.sound = self.run.measured.lists[self.path] = False
        self.run.demote(f"{self.path} ({reason}): every site is kept")

    def _places(self, block: nn.Module) -> dict[str, int]:
        return {name: place for place, name in enumerate(inspect.signature(block.forward).parameters)}

    def _streams(self, places: dict[str, int], args: tuple, kwargs: dict) -> list[Tensor]:
        return [kwargs[name] if name in kwargs else args[places.get(name, name)] for name in self.carries]

    def _predict(self, places: dict[str, int]) -> Forward:
        def forward(*args: object, **kwargs: object) -> object:
            streams = self._streams(places, args, kwargs)
            if not self._entered:  # the first block that this call reaches
                self._entered = True
                streams = [x + added for x, added in zip(streams, self._added, strict=True)]
            return streams[0] if len(streams) == 1 else tuple(streams)

        return forward

    def _watch(self, original: Forward, places: dict[str, int]) -> Forward:
        def forward(*args: object, **kwargs: object) -> object:
            for site, x in zip(self.sites, self._streams(places, args, kwargs), strict=True):
                self.run.remember(Kind.BLOCKS, site, x)
            return original(*args, **kwargs)

        return forward

    def _keep(self, original: Forward, places: dict[str, int], last: bool) -> Forward:
        def forward(*args: object, **kwargs: object) -> object:
            if self._fault:
                return original(*args, **kwargs)
            streams = self._streams(places, args, kwargs)
            if not self._entered:
                self._entered, self._base = True, [x.clone() for x in streams]  # copies: blocks write into what they are given and return
            for base, passed, x in zip(self._base, self._passed, streams, strict=False):
                base.add_(passed.neg_().add_(x))  # zero, exactly, where nothing was added
            out = original(*args, **kwargs)
            self._after(streams, (out,) if isinstance(out, Tensor) else out, last)
            return out

        return forward

    def _after(self, streams: list[Tensor], outputs: tuple, last: bool) -> None:
        """A computed block has returned `outputs`."""
        after = [given if x is None else x for x, given in zip(outputs, streams, strict=False)]  # the last block may drop a stream
        if len(outputs) != len(streams) or [x.shape for x in after] != [x.shape for x in self._base]:
            self._fault, self._base, self._passed = "its blocks do not return what they are given", [], []
        elif last:
            self._residuals, self._base, self._passed = [x - base for x, base in zip(after, self._base, strict=True)], [], []
        else:
            self._passed = [x.clone() for x in after]

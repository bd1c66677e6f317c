"""A list of blocks as one site for each of its streams: the sum that the list adds to it."""

from typing import Any

from torch import Tensor, compiler, nn

from ..hosts import Blocks
from ..run.engine import Source
from ..run.run import Run
from ..site import MODULES, Kind
from .arguments import Arguments
from .between import Between
from .scoped import Forward

Forwards = list[tuple[nn.Module, Forward]]


class Stack:
    """A merged list, for plans that only ever predict attention and MLP together: its first block adds the residual,
    the others pass on their input.

    `carries`: the blocks' arguments that are streams `(B, L, C)`, in the order in which they are returned. A stream's
    residual is `r = x_out - x_in - sum of additions between blocks` `(B, L, C)`: the model's own code makes those
    additions (ControlNet) again. `source`: of the residuals. `counts`: sites of each kind in the list. `sound` turns
    False when the blocks turn out not to work like this. A residual of another shape than the stream it meets is not
    added: the list is computed. A long piece may pass the list several times in a call, part by part; each pass has
    residuals of its own. `separable`: whether its sites can be predicted one by one instead. `path`: its name.

    The run is asked before the model call (`begin`) and told after it (`end`). In between only tensors move, so that
    a compiled model has one graph that predicts and one that keeps, and neither is made again when the run goes on.

    Nothing is added between most blocks. `between` tells where something was; the addition is reckoned only there, or
    everywhere if the model is `compiled`.
    """

    _added: list[list[Tensor]]  # the residuals that a predicted list adds to its streams, by pass
    _base: list[Tensor]  # the input of a computed list, and all additions between two of its blocks
    _passed: list[Tensor]  # the output of its last block, or a copy if it was written to since
    _residuals: list[list[Tensor]]  # of a computed list, by pass, once its end is reached

    def __init__(
        self,
        blocks: list[nn.Module],
        spec: Blocks,
        run: Run,
        source: Source,
        counts: dict[Kind, int],
        between: Between,
        path: str,
    ):
        self.run, self.source, self.counts, self.between = run, source, counts, between
        self.path, self.list, self.carries, self.in_parts, self.length = (
            path,
            spec.path,
            spec.carries,
            spec.in_parts,
            len(blocks),
        )
        self.sound, self.compiled, self.separable = True, False, spec.separable
        self._arguments: dict[Forward, Arguments] = {}  # of each kind of block
        self.passes = 1  # of the calls that were kept
        self._known = False  # whether any of the blocks has ever been run by its forward
        # A number of its own would be a graph of its own, of a compiled block.
        numbered = [(block, i if spec.in_parts else 0, i == len(blocks) - 1) for i, block in enumerate(blocks)]
        self._keeping = [(block, self._keep(block, place, last)) for block, place, last in numbered]
        self._predicting = [(block, self._predict(block, place, last)) for block, place, last in numbered]
        self.drop()

    def sites(self, number: int) -> tuple[str, ...]:
        """Names of the sites of a pass, counted from 0."""
        return tuple(f"{self.path}.{name}" + f"~{number + 1}" * bool(number) for name in self.carries)

    def begin(self) -> Forwards:
        """Decide for the coming model call: the forwards that predict, that keep, or none."""
        self.drop()
        sites = [self.sites(number) for number in range(self.passes)]
        predicted = self.run.predicts(Kind.BLOCKS, *(site for several in sites for site in several))
        counter = self.run.tally.predicted_calls if predicted else self.run.tally.computed_calls
        for kind in MODULES:
            counter[kind] += self.counts[kind]
        if predicted:
            self._added = [[self.source.predict(Kind.BLOCKS, site) for site in several] for several in sites]
            return self._predicting
        self._kept = self.run.keeps(Kind.BLOCKS)
        return self._keeping if self._kept else []

    def watch(self) -> Forwards:
        """The forwards for a call whose streams are only looked at: a residual is as large."""
        block, _ = self._keeping[0]
        return [(block, self._watch(block.forward, self._arguments_of(block)))]

    def end(self) -> None:
        """After the model call: its residuals go to the run."""
        self._known = self._known or self._entered
        if self._kept and not self._known:
            self._fault = "its blocks are not run by their forward"
        if self._fault:
            self.give_up(self._fault)
        elif self._kept and not self._whole:
            self.run.note(f"{self.path}: a call that leaves out its last block is computed")
        if self._misfit:
            self._recount()
        if self._whole:
            self.passes = len(self._residuals)
        for number, values in enumerate(self._residuals if self._whole else []):
            for site, value in zip(self.sites(number), values, strict=True):
                self.source.remember(Kind.BLOCKS, site, value)

    def drop(self) -> None:
        """Hold no tensor any more."""
        self.between.stop()
        self._entered, self._fault = False, ""
        self._begun, self._at = 0, self.length  # passes begun, and the place of the block reached last
        self._kept = False  # whether its residuals are to be kept
        self._misfit = False  # whether the predicted residuals have other shapes than its streams
        self._added, self._base, self._passed, self._residuals = [], [], [], []

    @property
    def rests(self) -> bool:
        """True if no block computes in the model call underway."""
        return bool(self._added)

    @property
    def _whole(self) -> bool:
        """True if every pass of this call was computed to its end."""
        return 0 < self._begun == len(self._residuals)

    def give_up(self, reason: str) -> None:
        """Merge no more from the next call on."""
        self.sound = self.run.measured.lists[self.list] = False
        if self.separable:
            self.run.demote(f"{self.path} ({reason}): every output is kept")
        else:
            self.run.bar(MODULES, f"{self.path} ({reason}): attention and mlp are computed")

    def _arguments_of(self, block: nn.Module) -> Arguments:
        code = getattr(block.forward, "__func__", block.forward)
        if code not in self._arguments:
            self._arguments[code] = Arguments(block.forward)
        return self._arguments[code]

    def _streams(self, arguments: Arguments, args: tuple, kwargs: dict) -> list[Tensor]:
        return [arguments.value(name, args, kwargs) for name in self.carries]

    def _recount(self) -> None:
        """The list was computed in place of predicted."""
        tally = self.run.tally
        for kind in MODULES:
            tally.predicted_calls[kind] -= self.counts[kind]
            tally.computed_calls[kind] += self.counts[kind]
        tally.predicted_calls[Kind.BLOCKS] -= sum(map(len, self._added))
        self.run.note_new_shapes()

    def _begins(self, place: int) -> bool:
        """True if the block at this place is the first that a pass reaches."""
        begins = place <= self._at if self.in_parts else not self._entered
        self._entered, self._at = True, place
        if begins:
            self._begun += 1
        return begins

    def _predict(self, block: nn.Module, place: int, last: bool) -> Forward:
        original: Forward = block.forward
        arguments = self._arguments_of(block)

        def forward(*args: Any, **kwargs: Any) -> Any:
            streams, begins = self._streams(arguments, args, kwargs), self._begins(place)
            if begins:
                added = self._added[self._begun - 1] if self._begun <= len(self._added) else []
                self._misfit = self._misfit or [x.shape for x in streams] != [x.shape for x in added]
            if self._misfit:
                return self._computed(original, begins, last, streams, args, kwargs)
            if begins:
                streams = [x + residual for x, residual in zip(streams, added, strict=True)]
            return streams[0] if len(streams) == 1 else tuple(streams)

        return forward

    def _watch(self, original: Forward, arguments: Arguments) -> Forward:
        def forward(*args: Any, **kwargs: Any) -> Any:
            self._begins(0)
            for site, x in zip(self.sites(self._begun - 1), self._streams(arguments, args, kwargs), strict=True):
                self.source.remember(Kind.BLOCKS, site, x)
            return original(*args, **kwargs)

        return forward

    def _keep(self, block: nn.Module, place: int, last: bool) -> Forward:
        original: Forward = block.forward
        arguments = self._arguments_of(block)

        def forward(*args: Any, **kwargs: Any) -> Any:
            if self._fault:
                return original(*args, **kwargs)
            streams = self._streams(arguments, args, kwargs)
            return self._computed(original, self._begins(place), last, streams, args, kwargs)

        return forward

    def _computed(
        self, original: Forward, begins: bool, last: bool, streams: list[Tensor], args: tuple, kwargs: dict
    ) -> Any:
        """The output of a computed block."""
        if not self._fault:
            self._before(streams, begins)
        out = original(*args, **kwargs)
        if not self._fault:
            self._after(streams, (out,) if isinstance(out, Tensor) else out, last)
        return out

    def _before(self, streams: list[Tensor], begins: bool) -> None:
        """A block is about to compute from `streams`. `begins`: it is the first of its pass."""
        if not self._reckons:
            self.between.reached(self._passed)
        if begins:  # blocks write into what they are given and return
            self._base, self._passed = self._copies(streams), []
        for base, passed, x in zip(self._base, self._passed, streams, strict=False):
            if x.shape != passed.shape:
                self._fault = "its streams change shape between its blocks"
            elif x is not passed:
                base.add_(x - passed)  # zero, exactly, where nothing was added
        self._passed = []

    def _after(self, streams: list[Tensor], outputs: tuple, last: bool) -> None:
        """A computed block has returned `outputs`."""
        # The last block may drop a stream.
        after = [given if x is None else x for x, given in zip(outputs, streams, strict=False)]
        if len(outputs) != len(streams) or [x.shape for x in after] != [x.shape for x in self._base]:
            self._fault, self._base, self._passed = "its blocks do not return what they are given", [], []
        elif last:
            with self.run.outside():
                self._residuals.append([x - base for x, base in zip(after, self._base, strict=True)])
            self._base, self._passed = [], []
        elif self._reckons:
            self._passed = self._copies(after)
        else:
            self._passed = after
            self.between.left(after)

    @property
    def _reckons(self) -> bool:
        """True if additions are reckoned wherever there may have been some: watching operations would keep models from
        being compiled."""
        return self.compiled or compiler.is_compiling()

    def _copies(self, streams: list[Tensor]) -> list[Tensor]:
        with self.run.outside():
            return [x.clone() for x in streams]

"""The sites of a model, reached while it runs, without copying or changing its code."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import cast

from torch import Tensor, nn

from ..hosts import Blocks, Host, blocks_of
from ..run.run import Run
from ..site import MODULES, Kind, within
from ..store import OutOfMemory
from .between import Between
from .block import Kinds, MountedBlock, fresh
from .deep import Deep, MountedUNet
from .first_blocks import FirstBlocks
from .first_look import FirstLook
from .footprint import deepest, footprint, joins, padded, tokens
from .listed import MountedList
from .mount import Mount, ReadWeights, Weights, is_edited, is_watched
from .scoped import overridden
from .stack import Stack
from .state import of_call

NO_ROOM = "out of memory while checking the blocks: attention and mlp are computed"


def plain_weights(linear: nn.Module, x: Tensor) -> AbstractContextManager[Weights]:
    """Weight `(out, in)` and bias `(out,)`, or None, of a torch linear layer, for any input `x`."""
    return nullcontext(cast(Weights, (linear.weight, linear.bias)))


class Mounts:
    """The sites of one model in one run.

    `read`: lends the full weights of a linear layer. At the first computed evaluation one block of each make is
    checked against its untouched forward, with every set of kinds predicted that the run's table predicts together;
    the verdict is for all blocks of that make.
    """

    def __init__(self, model: nn.Module, host: Host, run: Run, read: ReadWeights = plain_weights):
        self.run, self.swaps, between = run, host.swaps, Between(run.outside)
        states = frozenset(state & MODULES for state in run.agenda.states())
        self.states: frozenset[Kinds] = states - {frozenset()}
        run.sites |= dict.fromkeys(MODULES, 0)
        self.lists: list[MountedList | MountedUNet] = []
        if host.unet and (first := deepest(model, host.unet, run.agenda.ranges)):
            self.lists.append(MountedUNet(model, host.unet, first, run))
        for blocks in host.blocks:
            every = blocks_of(model, blocks)
            whole = MountedList(blocks, every, range(len(every)), run, read, between)
            run.sites |= {kind: run.sites[kind] + count for kind, count in whole.counts().items()}
            parts = within(run.agenda.ranges, blocks.path, len(every))
            self.lists += (
                [MountedList(blocks, every, part, run, read, between) for part in parts]
                if run.agenda.ranges
                else [whole]
            )
        self.blocks = [block for found in self.lists for block in found.blocks]
        for block in self._one_of_each_make():
            block.check = self._check
        self.first_look = self._looking(model, host)
        run.measured.lists |= {found.path: bool(found.stack) for found in self.lists}
        for fallback in (fallback for block in self._one_of_each_make() for fallback in block.fallbacks):
            run.demote(fallback)
        if not all(blocks.separable for blocks in host.blocks):
            self.merge_only("attention and mlp cannot be told apart in its blocks")
        if not self.lists:
            run.bar(MODULES, "the plan's ranges name no block of this model: attention and mlp are computed")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The context in which to run the model: its sites answer. Does nothing when this evaluation neither predicts
        nor keeps, and the bytes of the sites are known."""
        run = self.run
        run.tally.block_calls += 1
        if not run.measured.open and not any(
            kind in run.evaluation.predicted or run.keeps(kind) for kind in run.table.kinds & MODULES
        ):
            yield
            return
        try:
            with ExitStack() as mounted:
                self._mount(mounted)
                yield
            if run.evaluation.open and self.first_look:
                self.first_look.lost()
            for stack in self._began:
                stack.end()
            self._notice_unreached()
        finally:
            for stack in self._began:
                stack.drop()

    def _mount(self, mounted: ExitStack) -> None:
        """Set the forwards for the coming call, at once, or when its first block has had the decision taken."""

        def begin() -> None:
            mounted.enter_context(overridden([pair for found in self.lists for pair in found.begin(self.run)]))

        if self.run.evaluation.open and self.first_look:
            mounted.enter_context(overridden(self.first_look.opening(begin)))
        else:
            begin()

    def _looking(self, model: nn.Module, host: Host) -> FirstLook | FirstBlocks | None:
        """The look into the model's first blocks, where the run decides by it."""
        if not self.run.looks_inside:
            return None
        if not host.blocks:
            self.run.bar(MODULES, f"a {host.name} has no first block to look into: every step is computed")
            return None
        spec, found = host.blocks[0], blocks_of(model, host.blocks[0])
        if self.run.looks_behind:
            return self._behind(spec, found)
        if not spec.modulated or not found:
            self.run.bar(MODULES, f"the input of the first block of {host.name} is not known: every step is computed")
            return None
        return FirstLook(model, spec, found[0], self.run)

    def _behind(self, spec: Blocks, every: list[nn.Module]) -> FirstBlocks | None:
        """The look at what the first blocks add: those of the first list before its first range, or all of them."""
        start = self.blocks[0].block if self.blocks else None
        kept = every[: every.index(start)] if start in every else every
        if start is None or not kept or not spec.carries:
            self.run.bar(MODULES, "no block runs at every step, to choose steps by: every step is computed")
            return None
        return FirstBlocks(spec, kept, start, self.run)

    @property
    def _began(self) -> list[Stack | Deep]:
        return [found.began for found in self.lists if found.began]

    @property
    def rests(self) -> bool:
        """True if no block of any list computes in the model call underway."""
        whole = not self.run.agenda.ranges
        return whole and bool(self._began) and all(found.rests for found in self.lists)

    @property
    def mergeable(self) -> bool:
        """True if every list of blocks can be one residual."""
        return all(found.stack for found in self.lists if found.blocks)

    def compiled(self) -> None:
        """The model is compiled: predictions of single sites are decided inside it, and it would be compiled anew for
        each. A U-Net's layers would be, too."""
        for found in self.lists:
            if isinstance(found, MountedUNet):
                found.stack.give_up("the model is compiled")
        for stack in (found.stack for found in self.lists if found.stack):
            stack.compiled = True
        if self.first_look:
            reason = "the model is compiled, and nothing looks into its first block: every step is computed"
            self.run.bar(MODULES, reason)
        self.merge_only("the model is compiled")

    def merge_only(self, reason: str) -> None:
        """Keep no single site from now on, for `reason`."""
        self.run.measured.merged_only = True
        run, rungs = self.run, tuple(rung for rung in self.run.store.ladder if rung.merged)
        if not self.mergeable or not rungs:
            run.measured.open = False  # nothing is kept, so nothing need be measured inside the compiled model
            run.bar(MODULES, f"{reason}, and its blocks cannot be merged: attention and mlp are computed")
        elif not run.merged:
            run.store.ladder = rungs
            run.stand()
            run.demote(f"{reason}: {run.store.rung}")

    def notice(self, options: dict) -> None:
        """Merge no list whose streams another pack edits, by the transformer options of the coming call."""
        if is_edited(options):
            for stack in (found.stack for found in self.lists if found.stack and found.stack.sound and self.run.merged):
                stack.give_up("another node edits its streams between the blocks")

    def _notice_unreached(self) -> None:
        """Give up on blocks that this model does not run, or runs past their forward: only that can be mounted."""
        if self.blocks and not self._began and not any(block.entered for block in self.blocks):
            self.run.bar(
                MODULES,
                "none of its blocks is run by its forward: attention and mlp are computed (AB-Cache works on any "
                "model)",
            )
        if len(self.run.evaluations) > 1 and any(block.hands_out for block in self.blocks):
            self.run.demote("a call that hands out the keys and values of a text is computed, however late it comes")

    def _one_of_each_make(self) -> Iterator[MountedBlock]:
        seen = set()
        for block in self.blocks:
            if block.signature not in seen:
                seen.add(block.signature)
                yield block

    def _check(self, block: MountedBlock, args: tuple, kwargs: dict) -> object:
        """The block's own output, untouched. Then, on copies, mounts of all blocks of this make are demoted until the
        others reproduce it.

        Copies only help if the block's own run has left everything else as it was: a patch that keeps something between
        calls must not be run twice.
        """
        try:
            given, held = fresh(args, kwargs), of_call(args, kwargs)
        except OutOfMemory:
            self.run.bar(MODULES, NO_ROOM)
            return block.original(*args, **kwargs)
        wanted = block.original(*args, **kwargs)
        if name := next((name for name, _ in held.changed()), ""):
            self.run.bar(
                MODULES,
                f"{name} keeps something from call to call, so no block must be run twice to be checked: "
                "attention and mlp are computed",
            )
        else:
            self._demote_until_sound(block, wanted, *given)
        return wanted

    def _demote_until_sound(self, block: MountedBlock, wanted: object, args: tuple, kwargs: dict) -> None:
        """The check itself. The last of its runs is the one that the run remembers."""
        states = self.states
        if is_watched(kwargs):
            self.run.bar({Kind.ATTENTION}, "another node looks at the queries and keys: attention is computed")
            states = frozenset(state - {Kind.ATTENTION} for state in states) - {frozenset()}
        try:
            with self.run.outside():
                while failing := block.failing(states, wanted, args, kwargs):
                    self._demote_all_like(block, *failing)
            block.again(args, kwargs)
        except OutOfMemory:
            self.run.bar(MODULES, NO_ROOM)

    def _demote_all_like(self, block: MountedBlock, mount: Mount, fault: str) -> None:
        rung = next(i for i, ladder in enumerate(block.ladders) if ladder and ladder[0] is mount)
        left = {b.demote(rung) for b in self.blocks if b.signature == block.signature}
        self.run.demote(f"{block.described(fault)}: {mount.label} cannot be predicted, {', '.join(sorted(left))}")


__all__ = ["Mounts", "footprint", "joins", "overridden", "padded", "plain_weights", "tokens"]

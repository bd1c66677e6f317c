"""A list of blocks, or a range of it: its sites, or one residual."""

from torch import nn

from ..hosts import Blocks
from ..run.run import Run
from ..site import MODULES, Kind
from .arguments import Aside
from .at_axis import AtAxis
from .between import Between
from .block import MountedBlock
from .mount import ReadWeights
from .named import Named
from .parts import Parts
from .scoped import Forward
from .stack import Stack


class MountedList:
    """Blocks `places` of the list `every`: the sites of each, or, where the run merges them, one residual for all."""

    def __init__(
        self, spec: Blocks, every: list[nn.Module], places: range, run: Run, read: ReadWeights, between: Between
    ):
        self.spec, source = spec, AtAxis(run, spec.batch) if spec.batch else run
        self.parts = Parts(source) if spec.in_parts else None
        blocks = [every[i] for i in places]

        def mounted(path: str, block: nn.Module) -> MountedBlock:
            own = self.parts or source
            named = Named(own, run, path) if run.agenda.by_site else own
            return MountedBlock(block, path, spec.mounts, named, read, spec.first_keys)

        self.blocks = [mounted(f"{spec.path}.{i}", every[i]) for i in places]
        self.path = spec.path
        name = spec.path if len(places) == len(every) else f"{spec.path}.{places.start}-{places.stop - 1}"
        merges = spec.carries and blocks
        self.stack = Stack(blocks, spec, run, source, self.counts(), between, name) if merges else None
        self.aside = Aside(blocks, spec.carries[0], spec.prefix) if spec.prefix else None
        self.began: Stack | None = None  # the stack, if the model call underway merges

    def counts(self) -> dict[Kind, int]:
        """Number of its sites, by kind."""
        return {kind: sum(block.count(kind) for block in self.blocks) for kind in MODULES}

    @property
    def rests(self) -> bool:
        """True if none of its blocks computes in the model call underway."""
        return not self.blocks or (self.began is not None and self.began.rests)

    def begin(self, run: Run) -> list[tuple[nn.Module, Forward]]:
        """The forwards for the coming model call."""
        forwards = self._forwards(run)
        return self.aside.passing(forwards) if self.aside else forwards

    def _forwards(self, run: Run) -> list[tuple[nn.Module, Forward]]:
        self.began = self.stack if self.stack and self.stack.sound and run.merged else None
        if self.parts:
            self.parts.begin()
        if self.began is None:
            return [pair for block in self.blocks for pair in block.forwards]
        only_measured = run.measured.open and not run.measured.merged_only and not run.keeps(Kind.BLOCKS)
        return self.began.watch() if only_measured else self.began.begin()

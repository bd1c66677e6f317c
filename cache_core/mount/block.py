"""A block with its sites within reach."""

from collections.abc import Callable

from torch import nn

from ..hosts import Call, Fused, Inline, SiteNames, Spec
from ..run.engine import Source
from ..site import Kind
from ..store import OutOfMemory
from .arguments import Arguments
from .call import CallMount
from .fused import FusedMount
from .joint import JointMount
from .kernel import KernelMount
from .mount import Mount, ReadWeights
from .replay import Replay, copied, distance, shapes_of, tolerance
from .scoped import Forward

Kinds = frozenset[Kind]


def signature(block: nn.Module) -> tuple:
    """The make of a block: classes, number types and sizes of everything inside. Blocks of one make behave alike."""
    modules = tuple(
        (name, type(m), tuple((k, type(p), p.dtype, p.shape) for k, p in m.named_parameters(recurse=False)))
        for name, m in block.named_modules()
    )
    return (type(block), modules)


def fresh(args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Copies of a block's arguments: of tensors, and of the transformer options, but of nothing in them."""
    options = kwargs.get("transformer_options")
    named = {key: copied(value) for key, value in kwargs.items()}
    if isinstance(options, dict):
        named["transformer_options"] = dict(options)
    return tuple(copied(value) for value in args), named


class MountedBlock:
    """A block at `path`. `forwards` replace those of the block and its leaves during a model call.

    Each of `specs` has a ladder of mounts, the most capable one first; `demote` steps down a rung. Below the last rung
    is nothing: the block computes. `first_keys`: see Blocks. `fallbacks`: sentences about ladders that start lower than
    planned. `check`: called in place of the block's first run.
    """

    def __init__(
        self,
        block: nn.Module,
        path: str,
        specs: tuple[Spec, ...],
        source: Source,
        read: ReadWeights,
        first_keys: str = "",
    ):
        self.block, self.path, self.source, self.signature = block, path, source, signature(block)
        self.first_keys, self.hands_out = first_keys, False  # whether its last run was to hand out keys and values
        self.original: Forward = block.forward
        self.arguments = Arguments(self.original)
        self.fallbacks: list[str] = []
        self.ladders = [self._ladder(spec, read) for spec in specs]
        self.sites = [
            site
            for spec, ladder in zip(specs, self.ladders, strict=True)
            for site in self._reachable(spec, ladder).items()
        ]
        self.check: Callable[[MountedBlock, tuple, dict], object] | None = None
        self.entered = False  # whether the model has ever called its forward

    def _reachable(self, spec: Spec, ladder: list[Mount]) -> SiteNames:
        """The sites that an uncached block calls: those of its first mount, or, if that was a fallback from the start
        or there is none, of its spec."""
        planned = spec.sites(self.path)
        if not ladder:
            return planned
        mount = ladder[0]
        return mount.sites if mount.sites.keys() == planned.keys() and not isinstance(mount, KernelMount) else planned

    def count(self, kind: Kind) -> int:
        """Number of sites of `kind` in the block, still mounted or not."""
        return sum(len(names) for own, names in self.sites if own is kind)

    def _ladder(self, spec: Spec, read: ReadWeights) -> list[Mount]:
        if isinstance(spec, Call):
            return [CallMount(self.block, self.path, spec, self.source)]
        if isinstance(spec, Inline):
            return []
        kernel = KernelMount(self.path, self.source)
        try:
            if isinstance(spec, Fused):
                return [FusedMount(self.block, self.path, spec, self.source, read), kernel]
            return [JointMount(self.block, self.path, spec, self.source), kernel]
        except (AttributeError, TypeError) as reason:
            label = FusedMount.label if isinstance(spec, Fused) else JointMount.label
            self.fallbacks.append(f"{self.described(str(reason))}: {label} cannot be predicted, {kernel.alone}")
            return [kernel]

    def described(self, fault: str) -> str:
        """The block and its fault, in words."""
        return f"{type(self.block).__name__} ({self.path}: {fault})"

    @property
    def mounts(self) -> list[Mount]:
        """The mount in use on each ladder."""
        return [ladder[0] for ladder in self.ladders if ladder]

    @property
    def forwards(self) -> list[tuple[nn.Module, Forward]]:
        """The modules of the block and the forwards they get during a model call."""
        return [(self.block, self.forward), *(pair for mount in self.mounts for pair in mount.forwards)]

    def forward(self, *args: object, **kwargs: object) -> object:
        """The block's forward during a model call."""
        self.entered = True
        args, kwargs = self.arguments.with_named_options(args, kwargs)
        self.hands_out = bool(self.first_keys) and kwargs.get(self.first_keys) == ()
        if self.hands_out:
            return self.original(*args, **kwargs)
        if self.check is None:
            return self.run(args, kwargs)
        check, self.check = self.check, None
        return check(self, args, kwargs)

    def run(self, args: tuple, kwargs: dict) -> object:
        """The block's own forward, changed by its mounts."""
        mounts = self.mounts
        self.source.enter(self.path, shapes_of(args, kwargs))
        try:
            for mount in mounts:
                mount.inside, kwargs = True, mount.enter(kwargs)
            return self.original(*args, **kwargs)
        finally:
            for mount in mounts:
                mount.inside = False
                mount.leave()

    def failing(self, states: frozenset[Kinds], wanted: object, args: tuple, kwargs: dict) -> tuple[Mount, str] | None:
        """The first mount whose replay of a computed call, with one of `states` predicted, is never reached or differs
        from the output `wanted`; and its fault."""
        own = self.source
        try:
            for mount in self.mounts:
                replay = Replay(mount.sites)
                self._ask(replay)
                if fault := self._fault(replay, states, wanted, args, kwargs):
                    return mount, fault
            return None
        finally:
            self._ask(own)

    def _ask(self, source: Source) -> None:
        """Take values from `source` from now on."""
        self.source = source
        for mount in self.mounts:
            mount.source = source

    def _fault(self, replay: Replay, states: frozenset[Kinds], wanted: object, args: tuple, kwargs: dict) -> str:
        """The fault of the mount whose sites are replayed, in words; empty if there is none."""
        try:
            self.again(args, kwargs)
            for predicted in {state.intersection(replay.sites) for state in states} - {frozenset()}:
                replay.replay(predicted)
                apart = distance(self.again(args, kwargs), wanted)
                if replay.missed:
                    return f"{', '.join(sorted(replay.missed))} is never called"
                if not apart <= tolerance(wanted):
                    return f"its output differs by {apart:.1e}"
        except OutOfMemory:
            raise
        except (RuntimeError, TypeError, ValueError, AttributeError, KeyError, IndexError) as reason:
            return f"{type(reason).__name__}: {reason}"
        return ""

    def again(self, args: tuple, kwargs: dict) -> object:
        """`run` on copies, because blocks write into their inputs."""
        return self.run(*fresh(args, kwargs))

    def demote(self, rung: int) -> str:
        """Step down from the mount in use on ladder `rung`; returns in words what is predicted from now on."""
        ladder = self.ladders[rung]
        ladder.pop(0).live = False
        return KernelMount.alone if ladder else "it is computed"

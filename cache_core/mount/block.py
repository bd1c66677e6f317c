"""A block with its sites within reach."""

from collections.abc import Callable

from torch import nn

from ..hosts import Call, Fused, Joint, SiteNames
from ..site import Kind
from ..store import OutOfMemory
from .call import CallMount
from .fused import FusedMount
from .joint import JointMount
from .kernel import KernelMount
from .mount import Mount, ReadWeights, Tap
from .replay import Replay, copied, distance, shapes_of, tolerance
from .scoped import Forward

State = frozenset[Kind]


def signature(block: nn.Module) -> tuple:
    """What two blocks must share to behave alike: classes, number types and sizes of everything inside."""
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
    """`forwards` replace those of the block and its leaves during a model call.

    Each mount is a ladder of parts, the most capable one first; `demote` steps down a rung. The last rung is nothing.
    """

    def __init__(
        self, block: nn.Module, path: str, mounts: tuple[Call | Joint | Fused, ...], tap: Tap, read: ReadWeights
    ):
        self.block, self.path, self.tap, self.signature = block, path, tap, signature(block)
        self.original: Forward = block.forward
        self.reasons: list[str] = []
        self.ladders = [self._ladder(mount, read) for mount in mounts]
        self.sites = [
            site
            for mount, ladder in zip(mounts, self.ladders, strict=True)
            for site in self._reachable(mount, ladder[0]).items()
        ]
        self.check: Callable[[MountedBlock, tuple, dict], object] | None = None
        self.entered = False  # whether the model has ever called its forward

    def _reachable(self, mount: Call | Joint | Fused, part: Mount) -> SiteNames:
        """What an uncached block calls: the sites of its first part, or, if that was a fallback from the start, of
        the mount."""
        planned = mount.sites(self.path)
        return part.sites if part.sites.keys() == planned.keys() and not isinstance(part, KernelMount) else planned

    def count(self, kind: Kind) -> int:
        """How many sites of `kind` the block has, still mounted or not."""
        return sum(len(names) for own, names in self.sites if own is kind)

    def _ladder(self, mount: Call | Joint | Fused, read: ReadWeights) -> list[Mount]:
        if isinstance(mount, Call):
            return [CallMount(self.block, self.path, mount, self.tap)]
        kernel = KernelMount(self.path, self.tap)
        try:
            fused = isinstance(mount, Fused)
            part = (
                FusedMount(self.block, self.path, mount, self.tap, read)
                if fused
                else JointMount(self.block, self.path, mount, self.tap)
            )
        except (AttributeError, TypeError) as reason:
            self.reasons.append(f"{self.path}: {reason}; {kernel.label}")
            return [kernel]
        return [part, kernel]

    @property
    def parts(self) -> list[Mount]:
        """The part in use on each ladder."""
        return [ladder[0] for ladder in self.ladders if ladder]

    @property
    def forwards(self) -> list[tuple[nn.Module, Forward]]:
        return [(self.block, self.forward), *(pair for part in self.parts for pair in part.forwards)]

    def forward(self, *args: object, **kwargs: object) -> object:
        self.entered = True
        if self.check is None:
            return self.run(args, kwargs)
        check, self.check = self.check, None
        return check(self, args, kwargs)

    def run(self, args: tuple, kwargs: dict) -> object:
        """The block's own forward, with what the parts change about it."""
        parts = self.parts
        self.tap.sites.enter(self.path, shapes_of(args, kwargs))
        try:
            for part in parts:
                part.inside, kwargs = True, part.enter(kwargs)
            return self.original(*args, **kwargs)
        finally:
            for part in parts:
                part.inside = False
                part.leave()

    def failing(self, states: frozenset[State], wanted: object, args: tuple, kwargs: dict) -> Mount | None:
        """The first part that makes something else than `wanted`, or is never reached, when one of `states` is
        replayed from a computed call."""
        own = self.tap.sites
        try:
            for part in self.parts:
                self.tap.sites = probe = Replay(part.sites)
                fault = self._fault(probe, states, part, wanted, args, kwargs)
                if fault:
                    self.reasons.append(f"{self.path}: {fault}")
                    return part
            return None
        finally:
            self.tap.sites = own

    def _fault(
        self, probe: Replay, states: frozenset[State], part: Mount, wanted: object, args: tuple, kwargs: dict
    ) -> str:
        """What is wrong with one part; empty if nothing is."""
        try:
            self.again(args, kwargs)
            for state in {state.intersection(part.sites) for state in states} - {frozenset()}:
                probe.replay(state)
                apart = distance(self.again(args, kwargs), wanted)
                if probe.missed:
                    return f"{', '.join(sorted(probe.missed))} is never called"
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
        """Step down from the part in use on ladder `rung`; returns how the sites behind it are cached from now on."""
        ladder = self.ladders[rung]
        ladder.pop(0).live = False
        return ladder[0].label if ladder else "computed"

"""How a host is written down: names, block lists, and how each kind of site is mounted. Data only.

Every mount says what submodules a block must have (`needs`) and how the sites of the block at a path are called (`sites`).
"""

from dataclasses import dataclass

from ..site import Kind

Sites = dict[Kind, tuple[str, ...]]  # names of a block's sites, by kind


@dataclass(frozen=True)
class Call:
    """Submodules of a block whose output is a site as it is."""

    kind: Kind
    names: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        return self.names

    def sites(self, path: str) -> Sites:
        return {self.kind: tuple(f"{path}.{name}" for name in self.names)}


@dataclass(frozen=True)
class Joint:
    """An attention that the block runs inline over several streams, each with submodules `qkv`, `norm` and `proj`."""

    streams: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(f"{s}.{leaf}" for s in self.streams for leaf in ("qkv", "norm", "proj"))

    def sites(self, path: str) -> Sites:
        return {Kind.ATTENTION: tuple(f"{path}.{s}.proj" for s in self.streams)}


@dataclass(frozen=True)
class Fused:
    """Attention and MLP side by side behind one first and one last linear layer.

    `first`: rows are qkv (3 x hidden), then the MLP's. `last`: columns are attention (hidden), then the MLP's.
    """

    first: str
    last: str
    norm: str
    act: str

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.first, self.last, self.norm, self.act)

    def sites(self, path: str) -> Sites:
        return {kind: (f"{path}.{kind.value}",) for kind in (Kind.ATTENTION, Kind.MLP)}


@dataclass(frozen=True)
class Blocks:
    """A list of blocks of the model, by attribute path, and the mounts of each."""

    path: str
    mounts: tuple[Call | Joint | Fused, ...]


@dataclass(frozen=True)
class Host:
    """A model family: which block lists it has. `classes` names the model classes known to match, for messages and docs."""

    name: str
    classes: tuple[str, ...]
    blocks: tuple[Blocks, ...]

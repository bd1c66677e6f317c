"""How a host is written down: names, block lists, and how each kind of site is mounted. Data only."""

from dataclasses import dataclass

from ..site import Kind


@dataclass(frozen=True)
class Call:
    """Submodules of a block whose output is a site as it is."""

    kind: Kind
    names: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        return self.names


@dataclass(frozen=True)
class Joint:
    """An attention that the block runs inline over several streams, each with submodules `qkv`, `norm` and `proj`."""

    streams: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(f"{s}.{leaf}" for s in self.streams for leaf in ("qkv", "norm", "proj"))


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

"""How a host is written down: names, block lists, and how each kind of site is mounted. Data only.

Every mount says what submodules a block must have (`needs`) and how the sites of the block at a path are called
(`sites`).
"""

from dataclasses import dataclass

from ..site import Kind

SiteNames = dict[Kind, tuple[str, ...]]  # names of a block's sites, by kind


@dataclass(frozen=True)
class Call:
    """Submodules of a block whose output is a site as it is. `outputs` > 1: each returns a tuple of that many sites.

    The names are the submodules of one kind that share the block's tokens between them: one for each stream. Blocks
    after the first may lack some.
    """

    kind: Kind
    names: tuple[str, ...]
    outputs: int = 1

    @property
    def needs(self) -> tuple[str, ...]:
        return self.names

    def sites(self, path: str) -> SiteNames:
        if self.outputs == 1:
            return {self.kind: tuple(f"{path}.{name}" for name in self.names)}
        return {self.kind: tuple(f"{path}.{name}.{i}" for name in self.names for i in range(self.outputs))}


@dataclass(frozen=True)
class Joint:
    """An attention that the block runs inline over several streams, each with submodules `qkv`, `proj` and its `norms`.

    `unit`: the attribute of a stream that the block takes for granted when it splits qkv; q, k and v may be as
    narrow as it. `extra`: streams that only some blocks have. A stream without `proj` only gives keys and values,
    and has no site.
    """

    streams: tuple[str, ...]
    norms: tuple[str, ...] = ("norm",)
    unit: str = "num_heads"
    extra: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(f"{s}.{leaf}" for s in self.streams for leaf in ("qkv", *self.norms, "proj"))

    def sites(self, path: str) -> SiteNames:
        return {Kind.ATTENTION: tuple(f"{path}.{s}.proj" for s in (*self.streams, *self.extra))}


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

    def sites(self, path: str) -> SiteNames:
        return {kind: (f"{path}.{kind.value}",) for kind in (Kind.ATTENTION, Kind.MLP)}


@dataclass(frozen=True)
class Blocks:
    """A list of blocks of the model, by attribute path, and the mounts of each.

    `carries`: the arguments, by name or place, that a block adds to and returns, in the order in which it returns
    them, when what is done to them between blocks is at most adding what does not depend on them, as ControlNet
    does; empty if that is not so. `text`: the names in the mounts that only tokens of text, or sound, pass, none of
    the picture.
    """

    path: str
    mounts: tuple[Call | Joint | Fused, ...]
    carries: tuple[str | int, ...] = ()
    text: tuple[str, ...] = ()


@dataclass(frozen=True)
class Host:
    """A model family: which block lists it has, and in `needs` what else tells it from others. `classes` names the
    model classes known to match and `models` what users know them as, for messages and docs."""

    name: str
    classes: tuple[str, ...]
    models: str
    blocks: tuple[Blocks, ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A model family that looks like a host and is none: `needs` tells it from others, `why` is for the message and
    the docs."""

    name: str
    classes: tuple[str, ...]
    models: str
    needs: tuple[str, ...]
    why: str

"""Types of a host: names, block lists, and the mount of each kind of site. Data only.

Each mount has the submodules that a block must have (`needs`) and the names of the sites of the block at a path
(`sites`).
"""

from dataclasses import dataclass

from ..site import Kind

SiteNames = dict[Kind, tuple[str, ...]]  # names of a block's sites, by kind


@dataclass(frozen=True)
class Call:
    """Submodules of a block whose output is a site as it is. `outputs` > 1: each returns a tuple of that many sites.
    `others`: things that the tuple may hold behind them, of which the block needs none where the sites are predicted.

    The names are the submodules of one kind that share the block's tokens between them: one for each stream. Blocks
    after the first may lack some, and have `extra` ones.
    """

    kind: Kind
    names: tuple[str, ...]
    outputs: int = 1
    others: int = 0
    extra: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Submodules that a block must have, as dotted paths."""
        return self.names

    @property
    def is_tuple(self) -> bool:
        """True if the submodules return tuples."""
        return self.outputs + self.others > 1

    def sites(self, path: str) -> SiteNames:
        """Names of the sites, by kind, of the block at `path`."""
        names = (*self.names, *self.extra)
        if not self.is_tuple:
            return {self.kind: tuple(f"{path}.{name}" for name in names)}
        return {self.kind: tuple(f"{path}.{name}.{i}" for name in names for i in range(self.outputs))}


@dataclass(frozen=True)
class Joint:
    """An attention that the block runs inline over several streams, each with submodules `qkv`, `proj` and its `norms`.

    `unit`: the attribute of a stream that the block divides qkv by; q, k and v may be as narrow as it. `extra`: streams
    that only some blocks have. A stream without `proj` only gives keys and values, and has no site.
    """

    streams: tuple[str, ...]
    norms: tuple[str, ...] = ("norm",)
    unit: str = "num_heads"
    extra: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Submodules that a block must have, as dotted paths."""
        return tuple(f"{s}.{leaf}" for s in self.streams for leaf in ("qkv", *self.norms, "proj"))

    def sites(self, path: str) -> SiteNames:
        """Names of the sites, by kind, of the block at `path`."""
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
        """Submodules that a block must have, as dotted paths."""
        return (self.first, self.last, self.norm, self.act)

    def sites(self, path: str) -> SiteNames:
        """Names of the sites, by kind, of the block at `path`."""
        return {kind: (f"{path}.{kind.value}",) for kind in (Kind.ATTENTION, Kind.MLP)}


@dataclass(frozen=True)
class Inline:
    """An attention and an MLP that a block runs in its own code, by linear layers `attention` and `mlp`. Neither can be
    predicted alone: the list can only be merged."""

    attention: tuple[str, ...]
    mlp: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        """Submodules that a block must have, as dotted paths."""
        return (*self.attention, *self.mlp)

    def sites(self, path: str) -> SiteNames:
        """Names of the sites, by kind, of the block at `path`. They are counted, never reached."""
        return {kind: (f"{path}.{kind.value}",) for kind in (Kind.ATTENTION, Kind.MLP)}


Spec = Call | Joint | Fused | Inline


@dataclass(frozen=True)
class Blocks:
    """A list of blocks of the model, by attribute path, and the mounts of each.

    `carries`: the arguments, by name or place, that a block adds to and returns, in the order in which it returns
    them; empty if the model does more to them between blocks than add values that do not depend on them, as ControlNet
    does. `text`: the names in the mounts that only tokens of text, or sound, pass, none of the picture. `batch`: the
    axis of the batch in streams and sites. `prefix`: the argument with the number of tokens, first in the first stream,
    that stay as they are at every step; a call with nothing but them is none of the list's. `first_keys`: the argument
    by which a block is asked, with an empty tuple, to hand out the keys and values that later calls go on from; such
    calls are run as they are. `in_parts`: True if the model may pass the list several times in a call, for one part of
    a long piece after another. `modulated`: in the list that comes first, the submodule of a block whose first argument
    is the block's input, normalised and modulated by the time; empty where that is not known.
    """

    path: str
    mounts: tuple[Spec, ...]
    carries: tuple[str | int, ...] = ()
    text: tuple[str, ...] = ()
    batch: int = 0
    prefix: str = ""
    first_keys: str = ""
    in_parts: bool = False
    modulated: str = ""

    @property
    def separable(self) -> bool:
        """True if its attention and MLP can be predicted one without the other."""
        return not any(isinstance(mount, Inline) for mount in self.mounts)


@dataclass(frozen=True)
class UNet:
    """A U-Net by its paths: the list `down` of blocks, each a sequence of layers whose last output goes to the block
    of the list `up` that mirrors it, and the block `middle` between them, which may be missing."""

    down: str
    middle: str
    up: str


@dataclass(frozen=True)
class Host:
    """A model family: its block lists, and in `needs` other submodules that tell it from others. `classes`: model
    classes known to match. `models`: their names for users, in messages and docs. `swaps`: True if the rows of a call
    pass the blocks with one another's conditionings, so that what is kept of a row is for the same call alone. `unet`:
    in place of lists of blocks.

    For estimates: `cells`: latent cells to a token, 0 where the model's own patch size tells; `joined`: names in a
    conditioning of latents whose tokens join those of the picture. For the documents: `easycache`: whether the model
    has the hook that core's EasyCache needs; `newer`: whether it is newer than the tested releases."""

    name: str
    classes: tuple[str, ...]
    models: str
    blocks: tuple[Blocks, ...]
    needs: tuple[str, ...] = ()
    swaps: bool = False
    cells: int = 0
    joined: tuple[str, ...] = ("reference_latents",)
    easycache: bool = True
    newer: bool = False
    unet: UNet | None = None


@dataclass(frozen=True)
class Refused:
    """A model family that looks like a host and is none. `needs`: submodules that tell it from others. `why`: for the
    message and the docs."""

    name: str
    classes: tuple[str, ...]
    models: str
    needs: tuple[str, ...]
    why: str

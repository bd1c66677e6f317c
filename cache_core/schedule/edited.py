"""Tables of which single cells were changed by hand."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import ConfigError, brief
from ..site import MODULES, Kind
from ..timeline import Timeline
from .released import Released
from .steps_text import check_named, format_steps, parse_steps
from .table import Table
from .two_stage import TwoStage

COMPUTE, REUSE, BOTH = "compute", "reuse", "both"
KINDS = {Kind.ATTENTION.value: (Kind.ATTENTION,), Kind.MLP.value: (Kind.MLP,), BOTH: (Kind.ATTENTION, Kind.MLP)}
EXAMPLE = "compute attention 6,9; reuse both 12-14"

Edits = Mapping[tuple[int, Kind], bool]  # step and kind, to whether it is computed


@dataclass(frozen=True)
class Edited:
    """Table of `base` with the cells that `text` names changed; steps that the sampling does not have are left out."""

    base: TwoStage | Released
    text: str

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds of the edited schedule."""
        return self.base.kinds

    def table(self, timeline: Timeline) -> Table:
        """The changed table. Raises ConfigError for a text that cannot be read, and if step 0 would reuse."""
        return changed(self.base.table(timeline), parse_edits(self.text))


def changed(table: Table, edits: Edits) -> Table:
    """`table` with the cells of `edits` changed. Raises ConfigError if step 0 would reuse."""

    def row(step: int, computed: frozenset[Kind]) -> frozenset[Kind]:
        return frozenset(kind for kind in table.kinds if edits.get((step, kind), kind in computed))

    return Table(table.kinds, tuple(row(step, computed) for step, computed in enumerate(table.rows)))


def differences(base: Table, wanted: Table) -> dict[tuple[int, Kind], bool]:
    """Edits that turn the table `base` into `wanted`."""
    pairs = enumerate(zip(base.rows, wanted.rows, strict=True))
    return {(step, kind): kind in after for step, (before, after) in pairs for kind in before ^ after}


def parse_edits(text: str) -> dict[tuple[int, Kind], bool]:
    """Edits that a text such as `compute attention 6,9; reuse both 12-14` names; later ones win.

    Raises ConfigError for any other text.
    """
    edits: dict[tuple[int, Kind], bool] = {}
    named = 0
    for part in filter(None, (part.strip() for part in text.split(";"))):
        verb, kind, steps = [*part.split(None, 2), "", ""][:3]
        if verb not in (COMPUTE, REUSE) or kind not in KINDS or not steps:
            raise ConfigError(f"edited_steps has {brief(repr(part))}; write entries such as {EXAMPLE}.")
        cells = [(step, k) for step in parse_steps(steps, "edited_steps") for k in KINDS[kind]]
        named += len(cells)
        check_named(named, "edited_steps")
        edits |= dict.fromkeys(cells, verb == COMPUTE)
    return edits


def format_edits(edits: Edits) -> str:
    """Text that `parse_edits` reads as `edits`."""
    parts = []
    for verb, computed in ((COMPUTE, True), (REUSE, False)):
        steps = {kind: {step for (step, k), c in edits.items() if k is kind and c is computed} for kind in MODULES}
        both = steps[Kind.ATTENTION] & steps[Kind.MLP]
        named = {BOTH: both, Kind.ATTENTION.value: steps[Kind.ATTENTION] - both, Kind.MLP.value: steps[Kind.MLP] - both}
        parts += [f"{verb} {name} {format_steps(listed)}" for name, listed in named.items() if listed]
    return "; ".join(parts)

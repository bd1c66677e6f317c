"""Ways to keep less, in the order in which they are tried, and the arithmetic that chooses among them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ..schedule import Table
from ..site import BRANCHES, MODULES
from .eight_bit import FP8
from .value import Form


@dataclass(frozen=True)
class Rung:
    """One way to keep the values that a table needs.

    `merged`: a list of blocks is one residual, the sum that it adds to its streams, instead of all its sites; needs a
    table that never predicts one kind alone. `coarser`: the table is made so first: steps that predict one kind
    compute both.
    """

    merged: bool = False
    offloaded: bool = False
    eight_bit: bool = False
    coarser: bool = False

    @property
    def form(self) -> Form:
        """Form of the values. A residual of many blocks has outlying features, which fp8 bears; single sites have few,
        and int8 is finer (`python3 -m lab.memory`)."""
        return Form(self.offloaded, (FP8 if self.merged else torch.int8) if self.eight_bit else None)

    def __str__(self) -> str:
        words = (
            "blocks together" if self.merged else "every output",
            "only steps that predict attention and mlp together" if self.coarser else "",
            "8 bits" if self.eight_bit else "",
            "in host memory" if self.offloaded else "on the device",
        )
        return ", ".join(filter(None, words))


@dataclass(frozen=True)
class Budget:
    """Bytes that may be kept on the device and in host memory. Host memory is 0 where it is the same memory."""

    device: float = float("inf")
    host: float = float("inf")

    def holds(self, needed: Budget) -> bool:
        """True if `needed` bytes may be kept in both memories."""
        return needed.device <= self.device and needed.host <= self.host

    def __str__(self) -> str:
        return f"{megabytes(self.device)}" + (f" and {megabytes(self.host)} in host memory" if self.host else "")


@dataclass(frozen=True)
class Footprint:
    """Bytes that a plan keeps: `whole` with every site, `merged` with one residual per list of blocks where that is
    possible.

    `window`: two blocks' worth, the least on the device while offloaded values come and go. `eight_bit`: bytes of 8-bit
    values, relative to plain ones.
    """

    whole: int
    merged: int
    window: int
    eight_bit: float

    def needs(self, rung: Rung) -> Budget:
        """Bytes that `rung` takes of each memory."""
        fraction = self.eight_bit if rung.eight_bit else 1.0
        kept = fraction * (self.merged if rung.merged else self.whole)
        return Budget(min(kept, fraction * self.window), kept) if rung.offloaded else Budget(kept, 0)

    def least(self, rungs: tuple[Rung, ...]) -> Budget:
        """Bytes of the rung that takes least on the device."""
        return min(map(self.needs, rungs), key=lambda needed: needed.device)


def megabytes(count: float) -> str:
    """`count` bytes in words."""
    return f"{count / 2**20:.1f} MB"


def together(table: Table) -> bool:
    """True if attention and MLP are only ever predicted at the same steps."""
    return table.kinds >= MODULES and all(state & MODULES in (frozenset(), MODULES) for state in table.states())


def ladder(table: Table, merge: bool) -> tuple[Rung, ...]:
    """The rungs that `table` allows, first the one that keeps most. `merge`: blocks are merged from the start where
    the table allows it."""
    base = Rung(merged=together(table))
    rungs = [] if merge else [Rung()]
    rungs += _forms(base)
    if not base.merged and MODULES in {state & MODULES for state in table.states()}:
        rungs += _forms(Rung(merged=True, coarser=True))
    return tuple(dict.fromkeys(rungs))


def whole(table: Table) -> tuple[Rung, ...]:
    """The rungs that keep every site of `table`, whatever it predicts together: a run that tries both kinds alone
    needs them."""
    return tuple(_forms(Rung())) if table.kinds & MODULES else (Rung(),)


def _forms(rung: Rung) -> list[Rung]:
    """`rung`, and ways to make it smaller: host memory first, which is exact, then 8 bits, then both."""
    return [
        replace(rung, offloaded=host, eight_bit=small)
        for host, small in ((False, False), (True, False), (False, True), (True, True))
    ]


def coarser(table: Table) -> Table:
    """The table whose steps predict attention and MLP together or not at all, and the guidance as before."""
    branches = [table.kinds & BRANCHES - table.predicted(step) for step in range(len(table.rows))]
    rows = (
        row if row & MODULES in (frozenset(), MODULES) else row | MODULES | both
        for row, both in zip(table.rows, branches, strict=True)
    )
    return Table(table.kinds, tuple(rows))

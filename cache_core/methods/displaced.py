"""Displacements of a model's output by parts of it that are reused, recorded for a profile; how they are recorded."""

import re
from dataclasses import dataclass
from itertools import chain
from math import ceil, isfinite
from typing import Any

from ..errors import ConfigError
from ..plan import Plan
from ..schedule import Steps
from ..site import MODULES, Kind, Sites, in_order

MOST_GROUPS, MOST_STEPS = 8, 6  # of neighbouring blocks, and of steps that try them: more would cost more pictures
UNTRIED = "no part of the model was tried on the recorded picture. In a contest raise contest_budget."
BLOCK = re.compile(r".+\.\d{1,6}")  # path of a list, and place
Group = tuple[tuple[str, str], ...]  # kinds, each with the path of a block


@dataclass(frozen=True)
class Displaced:
    """Groups of sites, and how the output moves where one of them is reused from the step before.

    `steps` `(T,)`: that were tried, ascending. `grams` `(T, G, G)`: `<D_j, D_k> / ||v||^2`, v the output and D_j its
    displacement with only group j reused.
    """

    groups: tuple[Group, ...]
    steps: tuple[int, ...]
    grams: tuple[tuple[tuple[float, ...], ...], ...]

    @classmethod
    def from_json(cls, found: Any) -> "Displaced | None":
        """The displacements in a JSON value, as `dataclasses.asdict` wrote them; None for null. Raises ConfigError for
        numbers that are none, or do not fit each other; KeyError, TypeError, ValueError for anything else."""
        if found is None:
            return None
        groups = tuple(tuple((Kind(kind).value, str(block)) for kind, block in group) for group in found["groups"])
        grams = tuple(tuple(tuple(map(float, row)) for row in gram) for gram in found["grams"])
        steps, sides = tuple(map(int, found["steps"])), {len(each) for each in chain(grams, *grams)}
        named = all(group and all(BLOCK.fullmatch(block) for _, block in group) for group in groups)
        if not named or bool(groups) != bool(steps):
            raise ConfigError("The displacements of a profile name no groups of blocks.")
        if len(steps) != len(grams) or not sides <= {len(groups)} or not all(map(isfinite, chain(*chain(*grams)))):
            raise ConfigError("The displacements of a profile are no numbers, or differ in length.")
        return cls(groups, steps, grams)

    def sites(self, group: int) -> Sites:
        """Sites of a group."""
        return frozenset((Kind(kind), block) for kind, block in self.groups[group])

    def nearest(self, step: int) -> int:
        """Place in `steps` of the one that is nearest to `step`."""
        return min(range(len(self.steps)), key=lambda place: abs(self.steps[place] - step))


def groups_of(lists: tuple[tuple[str, int], ...]) -> tuple[Sites, ...]:
    """Neighbouring blocks, their attentions and their MLPs apart: one group for each block of a small model."""
    size = ceil(sum(count for _, count in lists) / MOST_GROUPS)
    starts = [(path, start, min(start + size, count)) for path, count in lists for start in range(0, count, size)]
    return tuple(
        frozenset((kind, f"{path}.{place}") for place in range(start, stop))
        for kind in in_order(MODULES)
        for path, start, stop in starts
    )


def tried_steps(steps: int) -> tuple[int, ...]:
    """Every second step of a sampling, MOST_STEPS of them at most, evenly."""
    odd = range(1, steps, 2)
    count = min(MOST_STEPS, len(odd))
    return tuple(odd[round((i + 0.5) * len(odd) / count - 0.5)] for i in range(count))


def trying(lists: tuple[tuple[str, int], ...], steps: int, name: str) -> Plan:
    """The plan of a picture in which the groups are tried, and a note of what that costs."""
    tried, groups = tried_steps(steps), groups_of(lists)
    note = f"every step is computed, and {len(tried) * len(groups)} more evaluations try what may be reused"
    tries = tuple(groups if step in tried else () for step in range(steps))
    return Plan(Steps(MODULES, (0, *(step - 1 for step in tried))), name=name, notes=(note,), tries=tries)

"""Routers of Learning-to-Cache, as its authors released them: what each step reuses."""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from ..errors import ConfigError
from ..schedule import json_object
from ..site import Kind
from .method import Sampling

Site = tuple[Kind, int]  # kind, and place of its block over all lists
THETA = 0.1  # as released


def routed(router: Mapping[str, Sequence[float]], theta: float = THETA) -> tuple[frozenset[Site], ...]:
    """Sites that each of N steps reuses, by a router's N entries `i.prob` of logits, attention and MLP of each block in
    turn; entry 0 is the last step, the cleanest.

    A site is kept where `sigmoid(logit) > theta`. Odd entries are of steps that compute everything. Raises ConfigError
    for entries that are missing, that differ in length, or hold anything but numbers.
    """
    rows = _rows(router)
    if any(map(math.isnan, chain(*rows))):
        raise ConfigError("Some logits of the router are no numbers.")
    if len({len(row) for row in rows}) != 1 or len(rows[0]) % 2 or not rows[0]:
        raise ConfigError("The entries of a router hold two logits for each block; these differ in length.")
    if len(rows) % 2:
        raise ConfigError(f"A router is for pairs of steps; this one has {len(rows)} entries, an odd number.")
    reused = [_reused(row, theta) if place % 2 == 0 else frozenset() for place, row in enumerate(rows)]
    return tuple(reversed(reused))


def _rows(router: Mapping[str, Any]) -> list[list[float]]:
    try:
        return [[float(logit) for logit in router[f"{i}.prob"]] for i in range(len(router) or 1)]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"This is no router of Learning-to-Cache: it has no numbers at {error}.") from error


def _reused(logits: Sequence[float], theta: float) -> frozenset[Site]:
    kinds = (Kind.ATTENTION, Kind.MLP)
    return frozenset((kinds[i % 2], i // 2) for i, logit in enumerate(logits) if not _sigmoid(logit) > theta)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > 0 else math.exp(logit) / (1 + math.exp(logit))


def fitting(sampling: Sampling, theta: float) -> tuple[frozenset[Site], ...]:
    """Sites that each step reuses by a given router. Raises ConfigError for one of other steps or blocks."""
    router = json_object(sampling.given)
    reused, steps = routed(router, theta), sampling.timeline.steps
    own, count = len(router["0.prob"]) // 2, sum(count for _, count in sampling.variant.lists)
    if len(reused) != steps:
        raise ConfigError(f"The router is for {len(reused)} steps, and this sampling has {steps}. Set {len(reused)}.")
    if count and own != count:
        raise ConfigError(f"The router is for {own} blocks, and this model has {count}: it is of another model.")
    return reused

"""Learning-to-Cache (arXiv 2406.01733): sets of sites, reused at every second step: read from a router, or chosen."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..site import Kind

Site = tuple[Kind, int]  # kind, and place of its block


def routed(router: Mapping[str, Sequence[float]], theta: float = 0.1) -> tuple[frozenset[Site], ...]:
    """Sites that each of N steps reuses, by a router's N entries `i.prob` of logits, attention and MLP of each block in
    turn; entry 0 is the last step, the cleanest.

    A site is kept where `sigmoid(logit) > theta`. Odd entries are of steps that compute everything. Raises ConfigError
    for entries that are missing, that differ in length, or hold anything but numbers.
    """
    rows = _rows(router)
    if len({len(row) for row in rows}) != 1 or len(rows[0]) % 2 or not rows[0]:
        raise ConfigError("The entries of a router hold two logits for each block; these differ in length.")
    reused = [_reused(row, theta) if place % 2 == 0 else frozenset() for place, row in enumerate(rows)]
    return tuple(reversed(reused))


def _rows(router: Mapping[str, Any]) -> list[list[float]]:
    try:
        return [[float(logit) for logit in router[f"{i}.prob"]] for i in range(len(router))]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"This is no router of Learning-to-Cache: it has no numbers at {error}.") from error


def _reused(logits: Sequence[float], theta: float) -> frozenset[Site]:
    kinds = (Kind.ATTENTION, Kind.MLP)
    return frozenset((kinds[i % 2], i // 2) for i, logit in enumerate(logits) if not _sigmoid(logit) > theta)


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > 0 else math.exp(logit) / (1 + math.exp(logit))


def chosen(gram: np.ndarray, price: float) -> tuple[int, ...]:
    """Sites to reuse together, ascending, from recorded displacements.

    `gram` `(J, J)`: `<D_j, D_k>`, D_j the displacement of the output with only site j reused. Minimises `b' G b - price
    |b|` over b in {0, 1}: from none and from all, one or two sites change as long as that lowers it. First order only:
    how sites displace each other's input is not in it. Raises ConfigError for a negative price.
    """
    if price < 0:
        raise ConfigError(f"price is {price}; a site that is reused saves time, so it is at least 0.")
    ends = [_lowered(gram, np.full(len(gram), start), price) for start in (0.0, 1.0)]
    found = min(ends, key=lambda b: b @ gram @ b - price * b.sum())
    return tuple(int(site) for site in np.flatnonzero(found))


def _lowered(gram: np.ndarray, b: np.ndarray, price: float) -> np.ndarray:
    """The set `b` `(J,)` once no change of one or two sites lowers its cost any more."""
    while True:
        sign = 1 - 2 * b
        alone = sign * (2 * gram @ b - price) + np.diag(gram)
        pairs = alone[:, None] + alone[None, :] + 2 * np.outer(sign, sign) * gram
        np.fill_diagonal(pairs, alone)
        i, j = np.unravel_index(pairs.argmin(), pairs.shape)
        if not pairs[i, j] < -1e-12:
            return b
        b = b.copy()
        b[[*{i, j}]] = 1 - b[[*{i, j}]]

"""Parts of a model that matter least, chosen by how the output moves where they are reused."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from .displaced import Displaced


def chosen(gram: np.ndarray, prices: np.ndarray) -> tuple[int, ...]:
    """Parts to reuse together, ascending, from recorded displacements.

    `gram` `(J, J)`: `<D_j, D_k>`, D_j the displacement of the output with only part j reused; `prices` `(J,)`: what
    reusing it is worth. Minimises `b' G b - prices' b` over b in {0, 1}: from none and from all, one or two parts
    change as long as that lowers it. First order only: how parts displace each other's input is not in it.
    """
    ends = [_lowered(gram, np.full(len(gram), start), prices) for start in (0.0, 1.0)]
    found = min(ends, key=lambda b: b @ gram @ b - prices @ b)
    return tuple(int(part) for part in np.flatnonzero(found))


def _lowered(gram: np.ndarray, b: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """The set `b` `(J,)` once no change of one or two parts lowers its cost any more."""
    while True:
        sign = 1 - 2 * b
        alone = sign * (2 * gram @ b - prices) + np.diag(gram)
        pairs = alone[:, None] + alone[None, :] + 2 * np.outer(sign, sign) * gram
        np.fill_diagonal(pairs, alone)
        i, j = np.unravel_index(pairs.argmin(), pairs.shape)
        if not pairs[i, j] < -1e-12:
            return b
        b = b.copy()
        b[[*{i, j}]] = 1 - b[[*{i, j}]]


@lru_cache(maxsize=1024)
def groups_chosen(displaced: Displaced, theta: float) -> tuple[tuple[int, ...], ...]:
    """Groups to reuse, for each tried step. Reusing all of the model is worth `theta^2`, and a group its share of it:
    so what is chosen displaces the output by `theta` of its norm at most, to first order."""
    sizes = np.array([len(group) for group in displaced.groups])
    return tuple(chosen(np.array(gram), theta**2 * sizes / sizes.sum()) for gram in displaced.grams)


def least(displaced: Mapping[tuple[str, int], float], share: float) -> dict[str, Sequence[int]]:
    """Places, by the path of their list, of the `share` of all blocks, 0 to 1, whose reuse displaces the output least,
    by their list's path and place."""
    every = sorted(displaced, key=lambda block: (displaced[block], block))
    picked = every[: round(share * len(every))]
    return {path: [place for own, place in picked if own == path] for path, _ in picked}


def by_block(displaced: Displaced) -> dict[tuple[str, int], float]:
    """Squared displacement of the output by each block, its attention and MLP together, on average over the tried steps
    and its neighbours in a group; by the path of its list and its place."""
    mean = np.mean([np.array(gram) for gram in displaced.grams], axis=0)
    blocks = [{block for _, block in group} for group in displaced.groups]
    found = {}
    for own in blocks:
        parts = [place for place, other in enumerate(blocks) if other == own]
        for block in own:
            path, _, place = block.rpartition(".")
            found[path, int(place)] = float(mean[np.ix_(parts, parts)].sum()) / len(own)
    return found

"""Bytes of a model's sites, as a computed evaluation shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from ..site import LATENT, Kind
from ..store import Footprint, coded_fraction


class Measured:
    """Bytes of one sample of each site that an evaluation computes, kept or not, by kind, site and stream.

    `open`: whether computed values are still measured. `merged_only`: whether no single site may be kept. `lists`:
    paths of the lists of blocks, and whether each can be one residual.
    """

    def __init__(self) -> None:
        self.open = self.merged_only = False
        self.lists: dict[str, bool] = {}
        self._sizes: dict[tuple[Kind, str, int], int] = {}
        self._eight_bit = 0.0

    def __bool__(self) -> bool:
        return bool(self._sizes)

    def saw(self, kind: Kind, site: str, value: Tensor, streams: Sequence[int]) -> None:
        """Measure a computed value `(B, ..., C)` of `site`, whose rows belong to `streams`."""
        if self.open and kind not in LATENT:
            self._sizes.update({(kind, site, stream): value.nbytes // len(streams) for stream in streams})
            self._eight_bit = max(self._eight_bit, coded_fraction(value.shape[-1], value.element_size()))

    def footprint(self, expected: Footprint, samples: Mapping[Kind, int], fraction_seen: float) -> Footprint:
        """Bytes kept with so many `samples` of each kind.

        `expected`: the estimate. It tells how single sites compare with residuals, where only those were seen.
        `fraction_seen`: measured bytes, relative to kept ones.
        """
        sizes: Counter[tuple[Kind, str]] = Counter()
        for (kind, site, _), size in self._sizes.items():
            sizes[kind, site] += round(samples[kind] * size / fraction_seen)
        total = sum(sizes.values())
        if any(kind is Kind.BLOCKS for kind, _ in sizes):
            off = total / max(1, expected.merged)
            return replace(
                expected, whole=round(off * expected.whole), merged=total, window=round(off * expected.window)
            )
        largest = max(self._by_block(sizes).values(), default=0)
        merged = sum(self._merged(path, sizes) for path in self.lists)
        return Footprint(total, merged, 2 * largest, self._eight_bit)

    def _merged(self, path: str, sizes: Counter[tuple[Kind, str]]) -> int:
        """Bytes of a list as one residual: those that the MLPs of its largest block add to its streams. If it cannot
        be one, those of all its sites."""
        within = Counter({key: size for key, size in sizes.items() if key[1].startswith(f"{path}.")})
        added = self._by_block(Counter({key: size for key, size in within.items() if key[0] is Kind.MLP}))
        return max(added.values(), default=0) * self.lists[path] or sum(within.values())

    def _by_block(self, sizes: Counter[tuple[Kind, str]]) -> Counter[str]:
        """Bytes of each block, by its path, whatever number of times it runs in a call."""
        blocks: Counter[str] = Counter()
        for (_, site), size in sizes.items():
            path = next(path for path in self.lists if site.startswith(f"{path}."))
            blocks[f"{path}.{site.removeprefix(f'{path}.').split('.')[0].split('~')[0]}"] += size
        return blocks

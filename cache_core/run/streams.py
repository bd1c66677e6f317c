"""Streams: the calls of one conditioning in the course of a run. Each has histories of its own."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass
class Stream:
    """`number`: never given again, so values kept under an old one are never found. `device`: of its last call."""

    number: int
    signature: Hashable
    device: Hashable


class Taken(NamedTuple):
    """The `stream` of a conditioning in a call; the one that it `replaced` because shapes have changed, if any;
    whether it has `moved` here from another device."""

    stream: int
    replaced: int | None = None
    moved: bool = False


class Streams:
    """The streams of each conditioning. One that comes twice in an evaluation is two streams: on the device of its
    last call the first that is left, else the first that is left anywhere, since calls on two devices begin in any
    order."""

    def __init__(self) -> None:
        self._known: dict[Hashable, list[Stream]] = {}
        self._serial = 0

    def take(
        self, conditioning: Hashable, taken: set[tuple[Hashable, int]], signature: Hashable, device: Hashable
    ) -> Taken:
        """The stream of `conditioning` in a call on `device`, added to `taken`: those of this evaluation's calls.

        `signature`: everything that the shapes inside the model depend on.
        """
        streams = self._known.setdefault(conditioning, [])
        left = [place for place in range(len(streams)) if (conditioning, place) not in taken]
        place = next((p for p in left if streams[p].device == device), left[0] if left else len(streams))
        taken.add((conditioning, place))
        known = streams[place] if place < len(streams) else None
        if known and known.signature == signature:
            before, known.device = known.device, device
            return Taken(known.number, moved=before != device)
        self._serial += 1
        streams[place : place + 1] = [Stream(self._serial, signature, device)]
        return Taken(self._serial, known.number if known else None)


class BlockShapes:
    """Shapes `(B, ...)` of the tensors that each block was last given in each stream, without the batch B."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], tuple[tuple[int, ...], ...]] = {}

    def changed(self, block: str, streams: Sequence[int], shapes: Sequence[tuple[int, ...]]) -> set[int]:
        """The streams in which the block at this path was last given other shapes than now."""
        given = tuple(tuple(shape[1:]) for shape in shapes)
        stale = {stream for stream in streams if self._last.get((block, stream), given) != given}
        self._last.update(((block, stream), given) for stream in streams)
        return stale

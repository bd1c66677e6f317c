"""Streams: what one conditioning sees in the course of a run. Each has histories of its own."""

from collections import Counter
from collections.abc import Hashable


class Streams:
    """Numbers for streams. A number is never given again, so what was kept under an old one is never found."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Hashable, int]] = {}
        self._serial = 0

    def number(self, conditioning: Hashable, occurrences: Counter[Hashable], signature: Hashable) -> tuple[int, int | None]:
        """The stream of `conditioning` in this call, and the one it replaces because shapes (`signature`) have changed, if any.

        A conditioning that comes twice in one evaluation is two streams; `occurrences` counts them.
        """
        occurrences[conditioning] += 1
        identity = (conditioning, occurrences[conditioning])
        known = self._known.get(identity)
        if known and known[0] == signature:
            return known[1], None
        self._serial += 1
        self._known[identity] = (signature, self._serial)
        return self._serial, known[1] if known else None

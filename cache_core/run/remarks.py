"""What a run says beside its numbers."""

from threading import RLock


class Remarks:
    """`notes`: what was chosen. `demotions`: what is cached less than planned. Each is said once, in the report.

    `restarts`: how often a history began anew because shapes had changed. `moves`: how often a conditioning took its
    past along to another device. `lock`: of all that the calls of several threads share.
    """

    def __init__(self, notes: list[str]):
        self.notes, self.demotions, self.restarts, self.moves = notes, list[str](), 0, 0
        self.lock = RLock()

    def note(self, text: str) -> None:
        with self.lock:
            if text not in self.notes:
                self.notes.append(text)

    def demote(self, text: str) -> None:
        with self.lock:
            if text not in self.demotions:
                self.demotions.append(text)

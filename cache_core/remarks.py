"""What a run says beside its numbers."""


class Remarks:
    """`notes`: what was chosen. `demotions`: what is cached less than planned. Each is said once, in the report.

    `restarts`: how often a history began anew because shapes had changed.
    """

    def __init__(self, notes: list[str]):
        self.notes, self.demotions, self.restarts = notes, list[str](), 0

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def demote(self, text: str) -> None:
        if text not in self.demotions:
            self.demotions.append(text)

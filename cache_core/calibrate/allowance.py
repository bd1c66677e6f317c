"""What a calibration may cost, and what it has cost so far, counted in uncached samplings."""

from collections.abc import Callable

Progress = Callable[[float, str], None]  # told the share of the allowance that is spent, and what is being done


class Allowance:
    """`total` uncached samplings. A sampling that computes B of N steps costs B / N."""

    def __init__(self, total: float, progress: Progress = lambda share, doing: None):
        self.total, self.spent, self._progress, self._doing = total, 0.0, progress, ""

    def affords(self, cost: float) -> bool:
        return self.spent + cost <= self.total + 1e-9

    def spend(self, cost: float) -> None:
        self.spent += cost
        self.say(self._doing)

    def say(self, doing: str, ahead: float = 0.0) -> None:
        """Report what is being done, of which `ahead` is done already and not yet spent."""
        self._doing = doing
        self._progress(min(1.0, (self.spent + ahead) / self.total), doing)

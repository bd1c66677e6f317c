"""Errors of reuse, by noise stage, by the kinds reused, by frequency band and by age."""

from dataclasses import dataclass

from ..errors import ConfigError

STAGES, REUSED, BANDS = ("high noise", "low noise"), ("attention", "mlp", "both"), ("low", "high")
MOST_AGES = 64


@dataclass(frozen=True)
class Curves:
    """Mean relative L2 errors of the guided output: `errors[stage][reused][band][age - 1]`.

    `age`: steps since the reused output was computed. NaN where it did not occur. Raises ConfigError for other axes.
    """

    errors: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]

    def __post_init__(self) -> None:
        shape = [len(self.errors), *{len(a) for a in self.errors}, *{len(b) for a in self.errors for b in a}]
        ages = {len(c) for a in self.errors for b in a for c in b}
        if shape != [len(STAGES), len(REUSED), len(BANDS)] or len(ages) != 1 or not 1 <= max(ages) <= MOST_AGES:
            raise ConfigError(
                f"its error curves are {shape} with ages {sorted(ages)}; allowed are 2 stages, 3 states, 2 bands and "
                f"1 to {MOST_AGES} ages."
            )

    def of(self, stage: str, reused: str, band: str) -> tuple[float, ...]:
        """One curve: errors from age 1 on."""
        return self.errors[STAGES.index(stage)][REUSED.index(reused)][BANDS.index(band)]

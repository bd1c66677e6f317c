"""How the error of reuse grows, by noise stage, by what is reused, by frequency band and by age."""

from dataclasses import dataclass

from ..errors import ConfigError

STAGES, REUSED, BANDS = ("high noise", "low noise"), ("attention", "mlp", "both"), ("low", "high")
MOST_AGES = 64


@dataclass(frozen=True)
class Curves:
    """`errors[stage][reused][band][age - 1]`: mean relative L2 error of the guided output in that band; NaN where it
    was not seen."""

    errors: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]

    def __post_init__(self) -> None:
        shape = [len(self.errors), *{len(a) for a in self.errors}, *{len(b) for a in self.errors for b in a}]
        ages = {len(c) for a in self.errors for b in a for c in b}
        if shape != [len(STAGES), len(REUSED), len(BANDS)] or len(ages) != 1 or not 1 <= max(ages) <= MOST_AGES:
            raise ConfigError(
                f"its error curves are {shape} with ages {sorted(ages)}; 2 stages, 3 states, 2 bands and 1 to "
                f"{MOST_AGES} ages are "
                "needed."
            )

    def of(self, stage: str, reused: str, band: str) -> tuple[float, ...]:
        """One curve, from age 1 on."""
        return self.errors[STAGES.index(stage)][REUSED.index(reused)][BANDS.index(band)]

"""Indicators: what a schedule that decides during the run goes by. Data; run/readings.py reads them."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Disagreement:
    """Disagreement of two predictions of the output, relative: of the model alone."""

    inside: ClassVar[bool] = False  # whether it is read in the model's first block


@dataclass(frozen=True)
class Displacement:
    """Relative L1 distance of the state `x` from that of the last computed evaluation, `mean|x - x_c| / mean|x_c|`."""

    inside: ClassVar[bool] = False


@dataclass(frozen=True)
class Foreseen:
    """Relative change of the output since the last computed evaluation c, as the state foretells it:
    `k mean|x - x_c| / mean|v_c|`, k the change of the output per change of the state between the last two of them.

    The output of an evaluation is the slope by which the sampler went on from it, `v_i = (x_(i+1) - x_i) / (sigma_(i+1)
    - sigma_i)`: with Euler's sampler the guided output itself.
    """

    inside: ClassVar[bool] = False


@dataclass(frozen=True)
class Modulated:
    """Relative L1 change of the modulated input of the model's first block since the evaluation before."""

    inside: ClassVar[bool] = True


@dataclass(frozen=True)
class Filtered:
    """The same, of the input filtered over its latent grid by `g = a S / (a^2 S + b^2)`, `S = |f|^-beta`, with a the
    share of the picture in the state, b that of the noise.

    `forced_too`: False leaves the input of steps that are computed in any case as it is, as released.
    """

    beta: float = 2.0
    forced_too: bool = True
    inside: ClassVar[bool] = True


@dataclass(frozen=True)
class Added:
    """Relative L1 distance of what the blocks that run at every step add, `r = x_out - x_in`, from that of the last
    computed evaluation: `mean|r - r_c| / mean|r_c|`. For plans with ranges that begin behind the first block."""

    inside: ClassVar[bool] = True


@dataclass(frozen=True)
class Probe:
    """Relative L1 change, since the evaluation before, of the picture as the blocks return it that run at every step.
    For plans with ranges that begin behind the first block."""

    inside: ClassVar[bool] = True


Indicator = Disagreement | Displacement | Foreseen | Modulated | Filtered | Added | Probe

"""Curves of a recorded picture over its steps, from which methods plan for the user's own model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..predictor.compensation import gain
from ..timeline import Timeline, same_sampling
from .displaced import Displaced

if TYPE_CHECKING:
    from torch import Tensor

    from ..calibrate import Recording

AHEAD = 5  # steps that a lookahead error reaches, at most
TINY = 1e-30


@dataclass(frozen=True)
class Profile:
    """Curves over the N steps of an uncached sampling, of its guided outputs `v_i` and states `x_i`.

    `sigmas` `(N,)`: of the steps. `growth` `(N,)`: `||v_i|| / ||v_(i-1)||`, 1 at step 0. `change` `(N,)`: relative L1
    distance `mean|v_i - v_(i-1)| / mean|v_(i-1)|`, 0 at step 0. `moved` `(N,)`: the same of the states. `ahead`
    `(AHEAD, N)`: `||v_i - v_(i+m)||_1 / ||v_(i+m)||_1` for m = 1 to AHEAD, infinite beyond the end. `means` `(N, C)`,
    `gains` `(AHEAD, N, C)`: of each channel of v_i, and of v_(i-m) in its place, see predictor.Compensation; empty
    where several modalities are packed in one latent. `guidance` `(N,)`: relative L1 distance
    `mean|d_i - d_(i-1)| / mean|d_(i-1)|` of the unconditional minus the conditional outputs `d_i`, 0 at step 0; empty
    without guidance. `displaced`: by parts of the model that were reused; None where none were tried.
    """

    sigmas: tuple[float, ...]
    growth: tuple[float, ...]
    change: tuple[float, ...]
    moved: tuple[float, ...]
    ahead: tuple[tuple[float, ...], ...]
    means: tuple[tuple[float, ...], ...] = ()
    gains: tuple[tuple[tuple[float, ...], ...], ...] = ()
    guidance: tuple[float, ...] = ()
    displaced: Displaced | None = None

    @classmethod
    def of(cls, recording: "Recording") -> "Profile":
        """The profile of a recording."""
        outputs, states = recording.outputs.double(), recording.states.double()
        norms = [max(float(v.norm()), TINY) for v in outputs]
        steps = range(len(norms))
        return cls(
            recording.nodes,
            tuple(norms[i] / norms[i - 1] if i else 1.0 for i in steps),
            tuple(_distance(outputs[i], outputs[i - 1]) if i else 0.0 for i in steps),
            tuple(_distance(states[i], states[i - 1]) if i else 0.0 for i in steps),
            tuple(
                tuple(_distance(outputs[i], outputs[i + m]) if i + m < len(norms) else float("inf") for i in steps)
                for m in range(1, AHEAD + 1)
            ),
            *_channels(outputs, recording.channels),
            _guidance(recording.differences),
        )

    @classmethod
    def from_json(cls, found: object) -> "Profile":
        """The profile in a JSON value, as `dataclasses.asdict` wrote it. Raises ConfigError for anything else."""
        try:
            read = {name: _numbers(found[name]) for name in ("sigmas", "growth", "change", "moved")}  # type: ignore[index]
            ahead = tuple(map(_numbers, found["ahead"]))  # type: ignore[index]
            means = tuple(map(_numbers, found["means"]))  # type: ignore[index]
            gains = tuple(tuple(map(_numbers, each)) for each in found["gains"])  # type: ignore[index]
            guidance = _numbers(found.get("guidance", ()))  # type: ignore[attr-defined] # older files have none
            displaced = Displaced.from_json(found.get("displaced"))  # type: ignore[attr-defined]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"This is no profile of a picture: {error}") from error
        curves = (*read.values(), *ahead, *([guidance] if guidance else ()))
        if len({len(curve) for curve in curves}) != 1 or not curves[0] or len(ahead) != AHEAD:
            raise ConfigError(
                "The curves of a profile have one value for each step; these differ in length, or are empty."
            )
        finite = chain(*read.values(), guidance, *means, *chain(*gains))
        if not all(map(isfinite, finite)) or any(map(isnan, chain(*ahead))):
            raise ConfigError("The curves of a profile are numbers; some of these are none, or infinite.")
        each = (means, *gains) if means or gains else ()
        widths, lengths = {len(row) for rows in each for row in rows}, {len(rows) for rows in each}
        if each and (len(widths) != 1 or lengths != {len(read["sigmas"])} or len(gains) != AHEAD):
            raise ConfigError("The channels of a profile have one value for each step; these differ in length.")
        return cls(**read, ahead=ahead, means=means, gains=gains, guidance=guidance, displaced=displaced)

    def check_of(self, timeline: Timeline) -> None:
        """Raise ConfigError unless the profile is of a sampling with the steps of `timeline`."""
        if not same_sampling(self.sigmas, timeline.sigmas[:-1]):
            raise ConfigError("The profile is of another sampling.")


def _guidance(differences: "Tensor | None") -> tuple[float, ...]:
    """Profile.guidance of differences `(N, P)`."""
    if differences is None:
        return ()
    apart = differences.double()
    return (0.0, *(_distance(apart[i], apart[i - 1]) for i in range(1, len(apart))))


def _numbers(values: Iterable[Any]) -> tuple[float, ...]:
    return tuple(map(float, values))


def _channels(outputs: "Tensor", channels: "Tensor | None") -> tuple[Any, Any]:
    """Means `(N, C)` and gains `(AHEAD, N, C)` of outputs `(N, P)` whose elements are of `channels` `(P,)`."""
    if channels is None:
        return (), ()
    parts = [outputs[:, channels == channel] for channel in range(int(channels.max()) + 1)]
    means = [part.mean(1) for part in parts]
    gains = [[_gain(part, mean, m) for part, mean in zip(parts, means, strict=True)] for m in range(1, AHEAD + 1)]
    return _rounded(means), tuple(map(_rounded, gains))


def _gain(part: "Tensor", mean: "Tensor", m: int) -> "Tensor":
    """Gain `(N,)` of one channel's elements `(N, P)` of step i - m in place of those of step i; 1 where there are
    none."""
    found = mean.new_ones(len(mean))
    found[m:] = gain(part[m:], part[: len(part) - min(m, len(part))], mean[m:])
    return found


def _rounded(columns: "Sequence[Tensor]") -> tuple[tuple[float, ...], ...]:
    """Columns `(N,)` as rows, to six digits: the file is a third as long."""
    return tuple(zip(*(map(_six_digits, column.tolist()) for column in columns), strict=True))


def _six_digits(number: float) -> float:
    return float(f"{number:.6g}")


def _distance(value: "Tensor", reference: "Tensor") -> float:
    """Relative L1 distance of two tensors."""
    return float((value - reference).abs().sum() / reference.abs().sum().clamp_min(TINY))


def resampled(values: Sequence[float], steps: int) -> tuple[float, ...]:
    """A published curve of L values for N steps: `round(i (L - 1) / (N - 1))`, ties to even, as MagCache does."""
    if steps == len(values) or steps < 2:
        return tuple(values[:steps])
    return tuple(values[round(i * (len(values) - 1) / (steps - 1))] for i in range(steps))

"""MagCache (arXiv 2506.09045): reuse while the product of the residual's growth stays near 1."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from ..schedule import TableAt
from .entries import entry_for
from .method import Method, Sampling, Threshold, Variant
from .profile import resampled
from .published import published


@dataclass(frozen=True)
class Released:
    """Released settings for a model. `curve`: key of its list; `threshold`: delta; `most`: reuses in a row (K);
    `retention` (R): share of the steps computed at the start, `rounding` added before the fraction is cut; `strict`:
    `<` in place of `<=`; `never`: step of 28 that is always computed, -1 = none; `branches`: True for a list of pairs,
    conditional first."""

    curve: str = ""
    threshold: float = 0.12
    most: int = 3
    retention: float = 0.2
    rounding: float = 0.0
    strict: bool = True
    never: int = -1
    branches: bool = False


def accumulated(growth: Sequence[float], threshold: float, released: Released) -> tuple[int, ...]:
    """Computed steps for the growth `gamma` `(N,)` of the residual, gamma_0 = 1.

    From step `int(R N)` on: `P *= gamma_i`, `E += |1 - P|`; reused while `E <= threshold` and no more than K in a row,
    else computed, and P = 1, E = 0. MagCache, METHODS_RELATED.md section 2.
    """
    steps, computed = len(growth), []
    start = max(1, int(released.retention * steps + released.rounding))
    product, error, reused = 1.0, 0.0, 0
    for step, gamma in enumerate(growth):
        product, reused = product * gamma, reused + 1
        error += abs(1 - product)
        below = error < threshold if released.strict else error <= threshold
        never = released.never >= 0 and round(step * 27 / max(1, steps - 1)) == released.never
        if step < start or not below or reused > released.most or never:
            computed.append(step)
            product, error, reused = 1.0, 0.0, 0
    return tuple(computed)


def released_for(variant: Variant) -> Released | None:
    """Released settings for a model; None where there are none."""
    entry, known = entry_for("magcache_settings", variant), {field.name for field in fields(Released)}
    return Released(**{key: value for key, value in entry.items() if key in known}) if entry else None


def curves(released: Released, steps: int) -> tuple[tuple[float, ...], ...]:
    """The published growth for `steps` steps: of the conditional branch, and of the unconditional one, if apart."""
    values = published()["magcache_ratios"][released.curve]
    each = (values[0::2], values[1::2]) if released.branches else (values,)
    return tuple(resampled(branch, steps) for branch in each)


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """Steps that any branch computes: one decision is taken for all."""
    steps, released = sampling.timeline.steps, released_for(sampling.variant) or Released()
    known = (sampling.profile.growth,) if sampling.profile else curves(released, steps)
    return sampling.computing(step for curve in known for step in accumulated(curve, threshold, released))


def refusal(sampling: Sampling) -> str:
    """The reason why there is no curve for a sampling."""
    if sampling.profile or released_for(sampling.variant):
        return ""
    return f"no list was published for {sampling.variant.name or 'this model'}. Set curves to 'learned on this model'."


MAGCACHE = Method(
    "MagCache",
    "arXiv 2506.09045",
    "Reuses while the residual grows by a known factor near 1.",
    Threshold("magcache_thresh", 0.001, 4.0, 0.24),
    schedule,
    refusal=refusal,
    aliases=("magcache", "mag cache"),
)

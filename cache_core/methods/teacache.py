"""TeaCache (arXiv 2411.19108): reuse while a polynomial of the first block's input change sums up below a threshold."""

from dataclasses import dataclass
from typing import Any

from ..schedule import Frame, Modulated, Online, Schedule
from .entries import entry_for, interpolated, shares_of
from .method import Method, Sampling, Threshold
from .published import published

STAND_IN = "flux,tangoflux"  # its pairs of threshold and speed-up stand in for a model that has none


@dataclass(frozen=True)
class Polynomial:
    """Count of a change d: `sum_k a_k d^k`, highest power first, as released. `clamped`: 0 where that is negative."""

    coefficients: tuple[float, ...]
    clamped: bool = False

    def __call__(self, change: float, step: int, last: int) -> float:
        value = 0.0
        for coefficient in self.coefficients:
            value = value * change + coefficient
        return max(0.0, value) if self.clamped else value


def released_for(sampling: Sampling) -> dict[str, Any]:
    """Released settings of a model: `curve` names its polynomial, `time` is true where the indicator is the time
    embedding alone, `speeds` are pairs of threshold and speed-up, `retention` is the share computed at the start."""
    found = entry_for("teacache_settings", sampling.variant)
    return found if found.get("curve") else {}


def rule(sampling: Sampling, threshold: float) -> Online:
    """The rule itself: `A += p(d_i)`, reused while `A < delta`, the first and the last step computed.

    With a profile d is the recorded change of the output, which p would estimate, and p is left out.
    """
    if sampling.profile:
        return Online(sampling.kinds, Modulated(), threshold)
    released = released_for(sampling)
    curve = Polynomial(tuple(published()["teacache_poly4_high_to_low"][released["curve"]]))
    warmup = int(released.get("retention", 0) * sampling.timeline.steps)
    return Online(sampling.kinds, Modulated(), threshold, curve, frame=Frame(max(1, warmup), 1))


def schedule(sampling: Sampling, threshold: float) -> Schedule:
    """A table where the changes are known before the run; else the rule, which reads the first block."""
    own = rule(sampling, threshold)
    if not before(sampling):
        return own
    known = sampling.profile.change if sampling.profile else sampling.time_changes
    return sampling.scheduled(own.replayed(known, sampling.timeline))


def before(sampling: Sampling) -> bool:
    """True if the changes are known before the run: recorded, or of the time embedding alone."""
    return bool(sampling.profile or released_for(sampling).get("time"))


def share(sampling: Sampling, threshold: float) -> float | None:
    """Share of the evaluations saved, by the published speed-ups at their number of steps: an estimate."""
    if before(sampling):
        return None
    speeds = released_for(sampling).get("speeds") or next(
        entry["speeds"] for entry in published()["teacache_settings"] if entry["curve"] == STAND_IN
    )
    return interpolated(shares_of(speeds), threshold)


def refusal(sampling: Sampling) -> str:
    """The reason why a model has no indicator or no polynomial."""
    name, learn = sampling.variant.name or "this model", "Set curves to 'learned on this model'."
    if not sampling.profile and not released_for(sampling):
        return f"no polynomial was published for {name}. {learn}"
    if not before(sampling) and not (sampling.inside and sampling.variant.looks):
        return f"the input of the first block of {name} cannot be read, or its blocks cannot be merged. {learn}"
    return ""


DELTA = Threshold("rel_l1_thresh", 0.001, 10.0, 0.4)
SUMMARY = "Reuses while the modulated input of the first block changes little."
NAMES = ("teacache", "tea cache")
TEACACHE = Method("TeaCache", "arXiv 2411.19108", SUMMARY, DELTA, schedule, refusal=refusal, aliases=NAMES, share=share,
                  time="embedding")  # fmt: skip

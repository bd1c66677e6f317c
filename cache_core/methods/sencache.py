"""SenCache: reuse while the state is near the one computed last, by the model's sensitivity there."""

from dataclasses import dataclass
from itertools import accumulate

from ..schedule import Displacement, Online
from .method import Method, Sampling, Threshold

MOST = 3  # reuses in a row (K)
EARLY, STRICT = 0.2, 2.0 / 0.045  # share of the steps at the start, and how much less is allowed there (Wan 1.3B)


@dataclass(frozen=True)
class Sensitivity:
    """Count of a relative displacement d: `S = J d`, J the relative change of the output per relative displacement
    of the state, `per` `(N,)` step after the one computed last. In the first `early` steps it counts STRICT times."""

    per: tuple[float, ...]
    early: int

    def __call__(self, moved: float, step: int, last: int) -> float:
        leaving = min(last + 1, len(self.per) - 1)
        return self.per[leaving] * moved * (STRICT if step < self.early else 1.0)


def rule(sampling: Sampling, threshold: float) -> Online:
    """The rule: not summed, the distance is from the state computed last.

    The authors take J of the state and of the time apart, by finite differences on a data set, and publish neither. A
    recorded picture gives the one along its own way, where both change together: `J_i = change_i / moved_i`.
    """
    profile = sampling.profile
    per = tuple(c / m if m else 0.0 for c, m in zip(profile.change, profile.moved, strict=True)) if profile else (0.0,)
    early = round(EARLY * sampling.timeline.steps)
    return Online(sampling.kinds, Displacement(), threshold, Sensitivity(per, early), summed=False, most=MOST)


def share(sampling: Sampling, threshold: float) -> float:
    """Share of the evaluations saved: an estimate, by the rule on the recorded way of the state, taken as straight."""
    if not sampling.profile:
        return 0.0
    own, way = rule(sampling, threshold), list(accumulate(sampling.profile.moved))
    count, edge = min(sampling.timeline.steps, len(way)), own.table(sampling.timeline).rows
    last = row = saved = 0
    for step in range(1, count):
        reached = own.after(0.0, way[step] - way[last], step, last)
        if edge[step] or own.computes(reached, row):
            last, row = step, 0
        else:
            row, saved = row + 1, saved + 1
    return saved / sampling.timeline.steps


def refusal(sampling: Sampling) -> str:
    """The reason why there are no sensitivities."""
    return "" if sampling.profile else "its sensitivities are not published. Set curves to 'learned on this model'."


SENCACHE = Method(
    "SenCache",
    "SenCache (no paper seen)",
    "Reuses while the state is near the one computed last, by the model's sensitivity.",
    Threshold("delta", 0.001, 100.0, 0.1),
    rule,
    refusal=refusal,
    aliases=("sencache",),
    decides=True,
    share=share,
)

"""DiCache (Bujiazi/DiCache): the first block probes each step, and tells how far the others' residual has moved."""

from ..predictor import Blended, Predictor
from ..schedule import Frame, Online, Probe, Schedule
from .dbcache import refusal
from .entries import interpolated, shares_of
from .fnbn import kept
from .method import Method, Sampling, Threshold
from .published import published

RETENTION = 0.2  # share of the steps computed at the start
STAND_IN = "flux,tangoflux"  # TeaCache's pairs of threshold and speed-up stand in: none are known of this method


def rule(sampling: Sampling, threshold: float) -> Online:
    """The rule itself: the probe's changes add up to less than the threshold; the last step is computed."""
    frame = Frame(max(1, int(RETENTION * sampling.timeline.steps)), 1)
    return Online(sampling.kinds, Probe(), threshold, frame=frame)


def schedule(sampling: Sampling, threshold: float) -> Schedule:
    """The rule, or its table for the recorded changes of the output."""
    own = rule(sampling, threshold)
    if sampling.profile is None:
        return own
    return sampling.scheduled(own.replayed(sampling.profile.change, sampling.timeline))


def predictor(sampling: Sampling, threshold: float) -> Predictor:
    """Two residuals blended by the probe; without a probe, by recorded curves, the newest one alone."""
    return Blended()


def share(sampling: Sampling, threshold: float) -> float | None:
    """Share of the evaluations saved: an estimate, where no picture was recorded."""
    if sampling.profile:
        return None
    entry = next(entry for entry in published()["teacache_settings"] if entry["curve"] == STAND_IN)
    return interpolated(shares_of(entry["speeds"]), threshold)


DICACHE = Method(
    "DiCache",
    "Bujiazi/DiCache",
    "Runs the first block at every step, and blends the last two residuals of the others by what it shows.",
    Threshold("rel_l1_thresh", 0.001, 10.0, 0.4),
    schedule,
    predictor,
    refusal,
    aliases=("dicache",),
    share=share,
    ranges=kept(1),
)

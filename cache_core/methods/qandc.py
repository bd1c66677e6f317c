"""Q&C's variance compensation (arXiv 2503.02508): reused outputs get the mean and the spread that were recorded."""

from ..predictor import Compensation
from ..schedule import TableAt, from_steps
from ..site import OUTPUT
from .method import Method, Sampling, Threshold
from .profile import AHEAD


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """The model's output at every n-th step, n = `threshold`: the compensation is of its channels."""
    steps = sampling.timeline.steps
    return sampling.scheduled(from_steps(OUTPUT, range(0, steps, int(threshold)), steps))


def compensation(sampling: Sampling) -> Compensation | None:
    """The recorded means and gains."""
    profile = sampling.profile
    return Compensation(profile.sigmas, profile.means, profile.gains) if profile else None


def refusal(sampling: Sampling) -> str:
    """The reason why there are no gains for a sampling."""
    if sampling.profile is None:
        return "its figures were not published, and are a model's own. Set curves to 'learned on this model'."
    return "" if sampling.profile.means else "this latent packs video and sound, whose channels differ. MagCache works."


QANDC = Method(
    "Q&C",
    "arXiv 2503.02508",
    "Computes every n-th step; each channel of a reused output gets its recorded mean and spread.",
    Threshold("interval", 1, AHEAD + 1, 2, whole=True),
    schedule,
    refusal=refusal,
    compensation=compensation,
    aliases=("q&c", "variance compensation"),
    kinds=OUTPUT,
)

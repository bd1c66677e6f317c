"""PromptTea (arXiv 2507.06739): TeaCache's sum, of a regression on the time embedding's change and the step."""

import math
from typing import Any

from ..schedule import Frame, Modulated, Online, TableAt
from .entries import entry_for
from .method import Method, Sampling, Threshold
from .published import published

STEPS = 50  # of the samplings that the regressions were fitted to


def prompt_threshold(simple: float, hard: float, careful: float, fast: float, sharpness: float) -> float:
    """The threshold for a prompt from its mean cosine similarity to `simple` and to `hard` reference prompts.

    `r = hard / (simple + hard)`, `w = sigmoid(sharpness (r - 1/2))`, delta = w careful + (1 - w) fast. The authors'
    reference prompts are not published, so the node leaves delta to the user.
    """
    ratio = hard / (simple + hard + 1e-6)
    weight = 1 / (1 + math.exp(-sharpness * (ratio - 0.5)))
    return weight * careful + (1 - weight) * fast


def released_for(sampling: Sampling) -> dict[str, Any]:
    """Released settings of a model: `curve` names its regression, `shift` is that of the samplings it was fitted to,
    `final` the number of steps computed at the end."""
    found = entry_for("prompttea_settings", sampling.variant)
    return found if found.get("curve") else {}


def place(sigma: float, shift: float) -> float:
    """Number `n` of the step, of 50 with this shift, that starts at `sigma`; a fraction between two."""
    return STEPS * (1 - sigma / (shift - (shift - 1) * sigma))


def regression(change: float, number: float, curve: str) -> float:
    """Count of a change x of the time embedding at step number n of 50: a polynomial of both."""
    x, n, fit = change, number, published()["prompttea_regression"][curve]
    features = (1, x, n, x**2, n**2, x * n, x**3, n**3, x**2 * n, x * n**2, x**4, n**4)
    return fit["intercept"] + sum(a * b for a, b in zip(fit["coef"], features, strict=True))


def counted(sampling: Sampling) -> tuple[float, ...]:
    """Counts `(N,)` of the changes at each step: recorded, or from the regression.

    A step that is as long as m of the 50 counts m times its change per step of theirs, which is as released with their
    sigmas.
    """
    if sampling.profile:
        return sampling.profile.change
    released, sigmas = released_for(sampling), sampling.timeline.sigmas
    found = [0.0]
    for before, sigma, change in zip(sigmas, sigmas[1:], sampling.time_changes[1:], strict=False):
        number = place(sigma, released["shift"])
        length = max(number - place(before, released["shift"]), 1e-6)
        found.append(length * regression(change / length, number, released["curve"]))
    return tuple(found)


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """The table: known before the run."""
    known = counted(sampling) if sampling.profile or sampling.time_changes else ()
    rule = Online(sampling.kinds, Modulated(), threshold, frame=Frame(1, released_for(sampling).get("final", 1)))
    return sampling.scheduled(rule.replayed(known, sampling.timeline))


def refusal(sampling: Sampling) -> str:
    """The reason why there is no regression for a model."""
    if sampling.profile or released_for(sampling):
        return ""
    name = sampling.variant.name or "this model"
    return f"no regression was published for {name}. Set curves to 'learned on this model'."


SUMMARY = "TeaCache by the time embedding alone: the steps are known before the run."
DELTA = Threshold("delta", 0.001, 10.0, 0.13)
PROMPTTEA = Method(
    "PromptTea",
    "arXiv 2507.06739",
    SUMMARY,
    DELTA,
    schedule,
    refusal=refusal,
    aliases=("prompttea",),
    time="projected",
)

"""Spectrum (CVPR 2026): windows that grow over the run, and a ridge regression on Chebyshev polynomials."""

from ..predictor import Chebyshev
from ..schedule import TableAt
from .method import Method, Sampling, Threshold

WARMUP, WINDOW = 5, 2.0  # steps computed at the start; length of the first window


def growing(steps: int, growth: float, warmup: int = WARMUP, window: float = WINDOW) -> tuple[int, ...]:
    """Computed steps: the first `warmup` ones, then each that ends a window; windows have `floor(window)` steps, and
    grow by `growth` (alpha). METHODS_RELATED.md section 12."""
    computed, last = list(range(min(warmup, steps))), warmup - 1
    for step in range(warmup, steps):
        if (step - last) % int(window) == 0:
            computed.append(step)
            last, window = step, window + growth
    return tuple(computed)


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """Windows that grow by `threshold`."""
    return sampling.computing(growing(sampling.timeline.steps, threshold))


def predictor(sampling: Sampling, threshold: float) -> Chebyshev:
    """The released fit, of merged blocks as of the released hidden states, with the step relative to this run's. Where
    the model's output is predicted a constant is left as it is: an output that is too small moves the state too little.
    """
    return Chebyshev(sampling.timeline.sigmas, shrinks=sampling.inside)


SPECTRUM = Method(
    "Spectrum",
    "CVPR 2026, github.com/hanjq17/Spectrum",
    "Computes at windows that grow, and predicts with a Chebyshev series through up to ten outputs.",
    Threshold("flex_window", 0.01, 20.0, 0.75),
    schedule,
    predictor,
    curves=False,
    aliases=("spectrum", "chebyshev"),
)

"""FORA (arXiv 2407.01425): attention and MLP are computed at every n-th step, and reused between."""

from ..schedule import TableAt
from .method import Method, Sampling, Threshold


def every(steps: int, interval: int) -> tuple[int, ...]:
    """Multiples of `interval`, and the last step, as in the schedules that SmoothCache's package has of it."""
    return tuple(sorted({*range(0, steps, interval), steps - 1}))


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """Every n-th step, n = `threshold`."""
    return sampling.computing(every(sampling.timeline.steps, int(threshold)))


FORA = Method(
    "FORA",
    "arXiv 2407.01425",
    "Computes every n-th step and reuses between.",
    Threshold("interval", 1, 20, 2, whole=True),
    schedule,
    curves=False,
    aliases=("fora", "interval"),
)

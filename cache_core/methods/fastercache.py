"""FasterCache's attention part (arXiv 2410.19355): attention at every second step, and the last change between."""

from dataclasses import dataclass

from ..predictor import DynamicReuse
from ..schedule import TableAt, from_steps
from ..site import Kind
from .method import Method, Sampling, Threshold
from .published import published

ATTENTION = frozenset({Kind.ATTENTION})


@dataclass(frozen=True)
class Window:
    """A rule for `steps` steps: from `start` on, attention is computed where `step % interval == phase`. The weight of
    the last change is `max(least, rise (step - zero))`. The default is the paper's: from 0 at `start` to 1 at the end;
    its start is that of the released windows, which lie between 0.27 and 0.36 of the run."""

    steps: int = 100
    start: int = 30
    interval: int = 2
    phase: int = 1
    zero: float = 30.0
    rise: float = 1 / 69
    least: float = 0.0


def released(key: str, name: str) -> Window | None:
    """The released window of the model, or of the class of model, of this name."""
    fields = Window.__dataclass_fields__
    found = (entry for entry in published()["fastercache_attention"] if name and entry.get(key) == name)
    return next((Window(**{field: entry[field] for field in fields}) for entry in found), None)


def window_for(sampling: Sampling) -> Window:
    """The window of a sampling's model: the released one, else the paper's."""
    return released("class", sampling.variant.name) or Window()


def computed(window: Window, steps: int, interval: int) -> tuple[int, ...]:
    """Steps, of `steps`, that compute attention."""
    start = max(2, round(window.start * steps / window.steps))  # two outputs are needed
    return tuple(step for step in range(steps) if step < start or step % interval == window.phase % interval)


def schedule(sampling: Sampling, threshold: float) -> TableAt:
    """Attention at every n-th step of the window, n = `threshold`."""
    steps = sampling.timeline.steps
    kept = computed(window_for(sampling), steps, int(threshold))
    return sampling.scheduled(from_steps(ATTENTION, kept, steps))


def predictor(sampling: Sampling, threshold: float) -> DynamicReuse:
    """The window's weight at the same shares of this run."""
    window = window_for(sampling)
    scale = sampling.timeline.steps / window.steps
    return DynamicReuse(sampling.timeline.sigmas, window.zero * scale, window.rise / scale, window.least)


def refusal(sampling: Sampling) -> str:
    """The reason why a model's attention is out of reach."""
    if sampling.variant.apart:
        return ""
    return "it predicts attention alone, which this model does not let itself be reached by. Spectrum works here."


FASTERCACHE = Method(
    "FasterCache attention",
    "arXiv 2410.19355",
    "Computes attention at every second step, and adds the last change between, more and more of it.",
    Threshold("interval", 1, 12, 2, whole=True),
    schedule,
    predictor,
    refusal,
    curves=False,
    aliases=("fastercache", "faster cache"),
)

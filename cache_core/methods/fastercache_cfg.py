"""FasterCache's CFG-Cache (arXiv 2410.19355): the unconditional branch at every n-th step, and gains by band."""

from dataclasses import dataclass

from ..predictor import Bands, Gain
from ..schedule import TableAt
from ..site import BRANCHES
from .method import Method, Sampling, Threshold


@dataclass(frozen=True)
class Released:
    """Windows of one model, as steps of `steps`; other numbers of steps have them at the same share.

    `start`: first step that may leave the branch out. `low`, `rest`: gains of the low band, up to step `low_until`, and
    of the rest, from step `rest_from`; 1 elsewhere. `compounding`: the released code multiplies the kept difference
    anew at each step. `last`: the last step is computed.
    """

    steps: int
    start: float
    low: float
    low_until: float
    rest: float
    rest_from: float
    compounding: bool = True
    last: bool = False


# The paper's rule. It leaves the step open at which the gains change; half of the steps is taken.
PAPER = Released(30, 10, 1.2, 14.5, 1.2, 14.5, compounding=False)
RELEASED = {
    "CogVideoXTransformer3DModel": Released(50, 18, 1.1, 40, 1.1, 30),
    "AsymmDiTJoint": Released(64, 22, 1.15, 50, 1.25, 30, last=True),  # Mochi
    "OpenSora": Released(30, 12, 1.15, 25, 1.15, 20),
    "Latte": Released(50, 18, 1.1, 44.5, 1.1, 45),
    "OpenSoraPlan": Released(150, 40, 1.1, 130, 1.2, 130.5),
}


def released_for(sampling: Sampling) -> Released:
    """Windows of a model: the released ones, else the paper's."""
    return RELEASED.get(sampling.variant.name, PAPER)


def schedule(sampling: Sampling, interval: float) -> TableAt:
    """Steps with both branches: the multiples of `interval`, and those before the window's start."""
    released, steps = released_for(sampling), sampling.timeline.steps
    start = released.start * steps / released.steps
    both = (s for s in range(steps) if s < start or s % interval == 0 or (released.last and s == steps - 1))
    return sampling.computing(both, BRANCHES)


def predictor(sampling: Sampling, interval: float) -> Bands:
    """The last computed difference, its bands with the gains of the step."""
    released, sigmas = released_for(sampling), sampling.timeline.sigmas[:-1]
    places = [step * released.steps / len(sigmas) for step in range(len(sigmas))]
    low = tuple(released.low if place <= released.low_until else 1.0 for place in places)
    rest = tuple(released.rest if place >= released.rest_from else 1.0 for place in places)
    return Bands(Gain(sigmas, low, released.compounding), Gain(sigmas, rest, released.compounding))


FASTERCACHE_CFG = Method(
    "FasterCache CFG",
    "arXiv 2410.19355",
    "Computes the negative prompt at every n-th step after the first third; between them its difference is amplified, "
    "coarse first and fine later.",
    Threshold("interval", 2, 20, 5, whole=True),
    schedule,
    predictor,
    aliases=("fastercache", "cfg-cache"),
    curves=False,
    kinds=BRANCHES,
)

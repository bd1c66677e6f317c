"""Learning-to-Cache (arXiv 2406.01733): of every second step a router tells which attentions and MLPs are reused."""

from ..schedule import TableAt, from_steps, json_object
from ..site import MODULES, Sites
from .method import Method, Sampling, Threshold
from .router import THETA, fitting


def sites(sampling: Sampling, theta: float) -> tuple[Sites, ...]:
    """Sites that each step reuses, by the paths of the blocks; none where these are not known."""
    paths = [f"{path}.{place}" for path, count in sampling.variant.lists for place in range(count)]
    reused = fitting(sampling, theta) if paths else ()
    return tuple(frozenset((kind, paths[place]) for kind, place in own) for own in reused)


def schedule(sampling: Sampling, theta: float) -> TableAt:
    """Every second step, as far as it reuses anything."""
    reused = fitting(sampling, theta)
    return sampling.scheduled(from_steps(MODULES, {i for i, own in enumerate(reused) if not own}, len(reused)))


def refusal(sampling: Sampling) -> str:
    """The reason why a model has no router, or no use for one."""
    if not sampling.inside or sampling.variant.unet or not sampling.variant.apart:
        return "it reuses attention and MLP one without the other, and here they cannot be told apart. Take FORA."
    if sampling.given:
        return ""
    return "its routers were published for DiT-XL/2 and U-ViT. Give one of this model as schedule, or take FORA."


LEARNING_TO_CACHE = Method(
    "Learning-to-Cache",
    "arXiv 2406.01733",
    "Reuses at every second step the attentions and MLPs that a trained router names.",
    Threshold("theta", 0.001, 0.999, THETA),
    schedule,
    refusal=refusal,
    curves=False,
    imports=True,
    aliases=("learning-to-cache", "l2c"),
    sites=sites,
    steps=lambda given: len(json_object(given)),
)

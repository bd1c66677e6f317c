"""Learning-to-Cache (arXiv 2406.01733): of every second step a router, or a recorded picture, tells what is reused."""

from itertools import chain

from ..schedule import TableAt, from_steps, json_object
from ..site import MODULES, Sites
from .displaced import UNTRIED
from .method import Method, Sampling, Threshold
from .router import THETA, fitting
from .selection import groups_chosen


def sites(sampling: Sampling, theta: float) -> tuple[Sites, ...]:
    """Sites that each step reuses, by the paths of the blocks; none where these are not known."""
    if sampling.given:
        return imported(sampling, theta)
    found = sampling.profile.displaced if sampling.profile else None
    if found is None or not found.groups:
        return ()
    sets = [frozenset(chain(*map(found.sites, own))) for own in groups_chosen(found, theta)]
    return tuple(sets[found.nearest(i)] if i % 2 else frozenset() for i in range(sampling.timeline.steps))


def imported(sampling: Sampling, theta: float) -> tuple[Sites, ...]:
    """Sites that each step reuses by a given router."""
    paths = [f"{path}.{place}" for path, count in sampling.variant.lists for place in range(count)]
    reused = fitting(sampling, theta) if paths else ()
    return tuple(frozenset((kind, paths[place]) for kind, place in own) for own in reused)


def schedule(sampling: Sampling, theta: float) -> TableAt:
    """Every second step, as far as it reuses anything."""
    reused = fitting(sampling, theta) if sampling.given else sites(sampling, theta)
    steps = sampling.timeline.steps
    return sampling.scheduled(from_steps(MODULES, {i for i in range(steps) if not (reused and reused[i])}, steps))


def refusal(sampling: Sampling) -> str:
    """The reason why a model has no router, or no use for one."""
    if not sampling.inside or sampling.variant.unet or not sampling.variant.apart:
        return "it reuses attention and MLP one without the other, and here they cannot be told apart. Take FORA."
    if sampling.given:
        return ""
    if sampling.profile:
        return "" if sampling.profile.displaced else UNTRIED
    return (
        "its routers were published for DiT-XL/2 and U-ViT. Set curves to 'learned on this model', or give one of this "
        "model as schedule."
    )


LEARNING_TO_CACHE = Method(
    "Learning-to-Cache",
    "arXiv 2406.01733",
    "Reuses at every second step the attentions and MLPs that matter least there.",
    Threshold("theta", 0.001, 0.999, THETA),
    schedule,
    refusal=refusal,
    imports=True,
    tries=True,
    aliases=("learning-to-cache", "l2c"),
    sites=sites,
    steps=lambda given: len(json_object(given)),
)

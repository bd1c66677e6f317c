"""DBCache and FBCache: the first blocks run at every step and tell how much has changed; the others are reused."""

from collections.abc import Callable
from dataclasses import replace

from ..schedule import Added, Frame, Online, Schedule
from .entries import interpolated, shares_of
from .fnbn import kept
from .method import Method, Sampling, Threshold
from .profile import AHEAD, Profile

# Seconds by threshold, for FLUX.1-dev and 28 steps on an NVIDIA L20: diffusers' documentation, page on ParaAttention.
UNCACHED, SECONDS = 26.36, ((0.06, 21.83), (0.08, 17.01), (0.10, 16.00), (0.12, 13.78))


def near(profile: Profile, threshold: float, warmup: int) -> tuple[int, ...]:
    """Computed steps: the first `warmup`, and each whose output is `threshold` or more from that of the step computed
    last, by relative L1 distance; after AHEAD reuses in a row also the next."""
    computed: list[int] = []
    for step in range(len(profile.sigmas)):
        gap = step - computed[-1] if computed else 0
        reused = step >= max(1, warmup) and gap <= AHEAD and profile.ahead[gap - 1][computed[-1]] < threshold
        if not reused:
            computed.append(step)
    return tuple(computed)


def scheduled(warmup: int) -> Callable[[Sampling, float], Schedule]:
    """The schedule after a warm-up of so many steps, at most a third of the sampling: of a recorded picture's outputs,
    or the rule itself, by what the first blocks add."""

    def schedule(sampling: Sampling, threshold: float) -> Schedule:
        first = min(warmup, sampling.timeline.steps // 3)
        if sampling.profile:
            return sampling.computing(near(sampling.profile, threshold, first))
        return Online(sampling.kinds, Added(), threshold, summed=False, frame=Frame(max(1, first), 0))

    return schedule


def share(sampling: Sampling, threshold: float) -> float | None:
    """Share of the evaluations saved, by FBCache's published times: an estimate, where no picture was recorded."""
    return None if sampling.profile else interpolated(shares_of((at, UNCACHED / s) for at, s in SECONDS), threshold)


def refusal(sampling: Sampling) -> str:
    """The reason why a model's first blocks cannot be looked at during the run."""
    if sampling.profile or (sampling.inside and not sampling.variant.unet):
        return ""
    name = sampling.variant.name or "this model"
    return f"the first blocks of {name} cannot be read during the run. Set curves to 'learned on this model'."


def first_blocks(name: str, source: str, first: int, warmup: int, default: float, *aliases: str) -> Method:
    """A method that runs the `first` blocks at every step."""
    threshold = Threshold("residual_diff_threshold", 0.001, 4.0, default)
    summary = f"Runs the first {first} of the blocks at every step, and reuses the others while little changes."
    schedule, ranges = scheduled(warmup), kept(first)
    return Method(
        name, source, summary, threshold, schedule, refusal=refusal, aliases=aliases, share=share, ranges=ranges
    )


DBCACHE = replace(
    first_blocks("DBCache", "cache-dit", 8, 8, 0.08, "dbcache", "cache-dit", "cachedit"), imports=True, places=True
)
FBCACHE = first_blocks("FBCache", "ParaAttention", 1, 0, 0.08, "fbcache", "first block cache", "wavespeed")

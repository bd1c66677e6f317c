"""Profiles of pictures, made by hand."""

from cache_core.methods import Profile
from cache_core.methods.profile import AHEAD


def profile(timeline, change=0.1, moved=0.05, growth=1.0):
    """A picture in which each step's output and state change by the same share."""

    def curve(first, value):
        return (first, *(value,) * (timeline.steps - 1))

    ahead = tuple(
        tuple(m * change if i + m < timeline.steps else float("inf") for i in range(timeline.steps))
        for m in range(1, AHEAD + 1)
    )
    return Profile(timeline.sigmas[:-1], curve(1.0, growth), curve(0.0, change), curve(0.0, moved), ahead)

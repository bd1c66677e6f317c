"""DeepCache's released lists of steps (arXiv 2312.00858): every n-th step, or closer together around a centre."""

from collections.abc import Callable

import numpy as np

from ..schedule import TableAt
from .method import Method, Sampling, Threshold

POWER_STEP = 0.02  # by which the power falls until there are enough steps
LEAST_POWER = 0.2  # below it the points of the line pass what a float holds


def steps_of(steps: int, interval: int, power: float = 0.0, centre: int = 15) -> tuple[int, ...]:
    """Computed steps of `steps` steps, `ceil(steps / interval)` of them, ascending, step 0 first.

    `power` 0: multiples of `interval`. Else the released non-uniform list: closest together at step `centre`, and less
    so elsewhere the higher the power; 1.4 and 1.5 in the examples, with centre 10 or 15. Where no power gives so many
    steps, the multiples. DeepCache; METHODS_RELATED.md section 5.
    """
    multiples = tuple(range(0, steps, interval))
    while power >= LEAST_POWER:
        found = _around(steps, len(multiples), power, centre)
        if len(found) >= len(multiples):
            return found
        power -= POWER_STEP
    return multiples


def _around(steps: int, count: int, power: float, centre: int) -> tuple[int, ...]:
    """Step 0, and the whole parts of `x^p + c` without their first and last, for `count + 1` points `x` from
    `(-c)^(1/p)` to `(steps - c)^(1/p)`.

    The first root is a complex number, whose real part counts in the end: that is what was published. `sign(x) |x|^p`
    would give other steps. Those beyond the sampling, where its centre lies outside it, are left out.
    """
    first, last = complex(-centre) ** (1 / power), complex(steps - centre) ** (1 / power)
    points = np.linspace(first, last, count + 1)
    distinct = sorted({int(value.real) + centre for value in points**power})
    return tuple(sorted({0, *(step for step in distinct[1:-1] if 0 < step < steps)}))


def scheduled(power: float) -> Callable[[Sampling, float], TableAt]:
    """The schedule by an interval: uniform for `power` 0, else closest together at step 15."""
    return lambda sampling, interval: sampling.computing(steps_of(sampling.timeline.steps, int(interval), power))


def refusal(sampling: Sampling) -> str:
    """The reason why a model has no deep part."""
    if sampling.variant.unet:
        return ""
    return (
        f"it skips the deep part of a U-Net (Stable Diffusion 1.5, SDXL), and {sampling.variant.name or 'this model'} "
        "is none. Choose DBCache, which keeps the first blocks and reuses the others, or use AB-Cache Apply."
    )


def deepcache(name: str, summary: str, power: float) -> Method:
    """DeepCache with steps of this `power`; the first block down and the last one up run at every step (branch 0)."""
    interval = Threshold("cache_interval", 1, 20, 3, whole=True)
    return Method(
        name,
        "arXiv 2312.00858",
        summary,
        interval,
        scheduled(power),
        refusal=refusal,
        aliases=("deepcache",),
        curves=False,
    )


DEEPCACHE = deepcache("DeepCache", "Reuses the deep part of a U-Net between every n-th step.", 0.0)
DEEPCACHE_UNEVEN = deepcache("DeepCache, uneven", "DeepCache with computed steps closest together around step 15.", 1.4)

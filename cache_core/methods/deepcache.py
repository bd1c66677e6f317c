"""DeepCache's released lists of steps (arXiv 2312.00858): every n-th step, or closer together around a centre."""

import numpy as np

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

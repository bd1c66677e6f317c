"""UniPC, the predictor-corrector of ComfyUI's sampler `uni_pc`: Zhao et al. 2023, arXiv 2302.04867, for models of the
denoised sample, in the clock lambda = -log sigma, with B(h) = h.

    x_t = s_t / s_0 x - (e^-h - 1) m_0 + h sum_k rho_k D_k,   D_k = (m_k - m_0) / r_k,   r_k = (lambda_k - lambda_0) / h

with m_0, m_1, ... the denoised samples so far, newest first, at s_0, s_1, ... The corrector has one D more than the
predictor: that of the model's answer at the predicted state, r = 1. So the model is asked once a step.

In float64 this steps as ComfyUI's does; in float32 that one, which scales states back and forth, rounds more
(tests/host/test_solvers.py).
"""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from .ode import Velocity, falling

ORDER = 3
LAST = 0.001  # the sigma in place of 0, where lambda has no end

Past = Sequence[tuple[float, Tensor]]  # sigma and denoised sample, newest first


def coefficients(ratios: Sequence[float], h: float) -> np.ndarray:
    """rho `(n,)` with `sum_k rho_k r_k^(i-1) = i! phi_(i+1)(-h)` for i = 1..n; 1/2 for n = 1.

    phi_1(z) = (e^z - 1) / z, phi_(i+1)(z) = (phi_i(z) - 1 / i!) / z.
    """
    if len(ratios) == 1:
        return np.array([0.5])
    phi, right = math.expm1(-h) / -h, list[float]()
    for i in range(1, len(ratios) + 1):
        phi = (phi - 1 / math.factorial(i)) / -h
        right.append(math.factorial(i) * phi)
    return np.linalg.solve([[ratio**i for ratio in ratios] for i in range(len(ratios))], right)


def moved(x: Tensor, past: Past, after: float, answer: Tensor | None = None) -> Tensor:
    """`x` at the sigma `after`: predicted from the past, or, with the model's `answer` there, corrected."""
    (sigma, newest), *older = past
    h = math.log(sigma / after)
    ratios = [math.log(sigma / other) / h for other, _ in older]
    slopes = [(value - newest) / ratio for ratio, (_, value) in zip(ratios, older, strict=True)]
    if answer is not None:
        ratios, slopes = [*ratios, 1.0], [*slopes, answer - newest]
    start = after / sigma * x - math.expm1(-h) * newest
    if not slopes:
        return start
    return start + h * sum(float(rho) * slope for rho, slope in zip(coefficients(ratios, h), slopes, strict=True))


def uni_pc(velocity: Velocity, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """`x` at the last of `sigmas`, or at LAST if that is 0; orders grow to 3 at the start and fall at the end.

    One step is Euler's, where ComfyUI's returns the noise. Raises ValueError as `falling` does.
    """
    nodes = [sigma or LAST for sigma in falling(sigmas)]
    steps = len(nodes) - 1
    if steps < 1:
        return x
    most = max(1, min(ORDER, steps - 1))

    def denoised(state: Tensor, sigma: float) -> Tensor:
        return state - sigma * velocity(state, sigma)

    past = [(nodes[0], denoised(x, nodes[0]))]
    for step in range(1, steps + 1):
        known = past[: min(most, step, steps + 1 - step)]
        predicted = moved(x, known, nodes[step])
        if step == steps:
            return predicted
        answer = denoised(predicted, nodes[step])
        x = moved(x, known, nodes[step], answer)
        past = [(nodes[step], answer), *past[: most - 1]]
    return x

"""The multistep ODE solvers that people sample flow models with, each in a few lines, so that the lab can run them
without ComfyUI.

All of them solve dx/dsigma = velocity(x, sigma) from the first sigma to the last with one call a step, start as
Euler and grow to their order as the past fills. But for UniPC (lab.uni_pc) they take the step to sigma 0 as Euler:
x - sigma * slope is the denoised sample there, and log sigma has no end. They step as ComfyUI's samplers of the same
names do (tests/host/test_solvers.py).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from numpy.polynomial.legendre import leggauss
from torch import Tensor

from .ode import Velocity, falling
from .uni_pc import uni_pc

# Newest slope first, by how many there are. Stored, as iPNDM means those of equal steps whatever the steps are.
EQUAL_STEPS = {1: (1.0,), 2: (3 / 2, -1 / 2), 3: (23 / 12, -16 / 12, 5 / 12), 4: (55 / 24, -59 / 24, 37 / 24, -9 / 24)}

# the variance-preserving process whose clock DEIS reads, Karras et al. 2022
NOISIEST, CLEANEST, CLEANEST_TIME = 80.0, 0.002, 1e-3
QUADRATURE = 16  # Gauss points in a step; the integrand is a parabola in a smooth clock


@dataclass(frozen=True)
class Sample:
    """A point of the path: `x` and `slope` = dx/dsigma, of one shape, at `sigma` > 0."""

    sigma: float
    x: Tensor
    slope: Tensor

    @property
    def denoised(self) -> Tensor:
        """Where the straight line along the slope meets sigma 0, shaped like `x`."""
        return self.x - self.sigma * self.slope


Step = Callable[[Sequence[Sample], float], Tensor]  # samples newest first, next sigma -> next x


def _solve(velocity: Velocity, x: Tensor, sigmas: Sequence[float], step: Step, order: int) -> Tensor:
    """`x` at the last sigma, each `step` seeing the last `order` samples. Raises ValueError as `falling` does."""
    past: tuple[Sample, ...] = ()
    for sigma, after in pairwise(falling(sigmas)):
        past = (Sample(sigma, x, velocity(x, sigma)), *past[: order - 1])
        x = step(past, after) if after > 0 else euler_step(past, after)
    return x


def _along(past: Sequence[Sample], weights: Sequence[float]) -> Tensor:
    """The newest x plus the weighted slopes, `weights` in units of sigma, newest first."""
    return past[0].x + sum(weight * sample.slope for weight, sample in zip(weights, past, strict=True))


def euler_step(past: Sequence[Sample], after: float) -> Tensor:
    """x + (sigma' - sigma) slope. Order 1; uses the newest sample only."""
    return _along(past[:1], (after - past[0].sigma,))


def ipndm_step(past: Sequence[Sample], after: float) -> Tensor:
    """x + (sigma' - sigma) sum_j w_j slope_j, with w the Adams-Bashforth weights of equal steps for 1 to 4 samples.

    Order 4 on equal steps and 1 on rough ones, where the weights are not those of the nodes. Liu et al. 2022, arXiv
    2202.09778 (PNDM); with lower orders for its Runge-Kutta start, Zhang and Chen 2022, arXiv 2204.13902 (iPNDM).
    """
    return _along(past, [(after - past[0].sigma) * weight for weight in EQUAL_STEPS[len(past)]])


@cache
def _process() -> tuple[float, float]:
    """(b, a) of log(1 + sigma^2) = b t^2 / 2 + a t, which holds at `NOISIEST` for t = 1 and at `CLEANEST` for
    `CLEANEST_TIME`."""
    noisiest, cleanest = math.log1p(NOISIEST**2), math.log1p(CLEANEST**2)
    b = 2 * (cleanest / CLEANEST_TIME - noisiest) / (CLEANEST_TIME - 1)
    return b, noisiest - b / 2


def deis_clock(sigma: float) -> float:
    """Time t of `sigma` >= 0 in the variance-preserving process, rising with sigma: Karras et al. 2022, arXiv
    2206.00364, table 1."""
    b, a = _process()
    return (math.sqrt(a * a + 2 * b * math.log1p(sigma * sigma)) - a) / b


def _lagrange(nodes: Sequence[float], j: int, t: float) -> float:
    """The polynomial that is 1 at `nodes[j]` and 0 at the others, at `t`."""
    return math.prod((t - node) / (nodes[j] - node) for k, node in enumerate(nodes) if k != j)


def deis_weights(past: Sequence[float], after: float) -> tuple[float, ...]:
    """Integrals of L_j(t(sigma)) dsigma from `past[0]` to `after`, one for each sigma of `past`, newest first.

    L_j are the Lagrange polynomials through the clock's times of `past`. The weights sum to after - past[0]; exact
    for slopes that are polynomials of t of degree < len(past), on any nodes. ComfyUI sums 10,000 points of the same
    integral: weights up to 1.3e-5 away.
    """
    times = [deis_clock(sigma) for sigma in past]
    middle, half = (after + past[0]) / 2, (after - past[0]) / 2
    points = [
        (deis_clock(middle + half * float(z)), half * float(w)) for z, w in zip(*leggauss(QUADRATURE), strict=True)
    ]
    return tuple(sum(weight * _lagrange(times, j, t) for t, weight in points) for j in range(len(past)))


def deis_step(past: Sequence[Sample], after: float) -> Tensor:
    """x + sum_j C_j slope_j, with C from `deis_weights`: tAB-DEIS, Zhang and Chen 2022, arXiv 2204.13902.

    Order len(past) on any steps.
    """
    return _along(past, deis_weights([sample.sigma for sample in past], after))


def res_weights(h: float, h_last: float) -> tuple[float, float]:
    """(b1, b2), for the newest denoised sample and the one before, of a step `h` after a step `h_last` of lambda =
    -log sigma.

    b2 = phi2(-h) / c and b1 = phi1(-h) - b2 with c = -h_last / h, phi1(z) = (e^z - 1) / z, phi2(z) = (phi1(z) - 1) /
    z. h (b1 + b2) = 1 - e^-h.
    """
    phi1 = -math.expm1(-h) / h
    phi2 = (1 - phi1) / h
    b2 = -phi2 * h / h_last
    return phi1 - b2, b2


def res_multistep_step(past: Sequence[Sample], after: float) -> Tensor:
    """e^-h x + h (b1 denoised + b2 denoised_last), with b from `res_weights` and h = log(sigma / sigma').

    Exact where denoised is linear in lambda; Euler, which is exact where it is constant, from one sample. Order 2 on
    any steps. RES, multistep: Zhang et al. 2023, arXiv 2308.02157.
    """
    if len(past) == 1:
        return euler_step(past, after)
    newest, last = past
    h = math.log(newest.sigma / after)
    b1, b2 = res_weights(h, math.log(last.sigma / newest.sigma))
    return math.exp(-h) * newest.x + h * (b1 * newest.denoised + b2 * last.denoised)


def dpmpp_2m_step(past: Sequence[Sample], after: float) -> Tensor:
    """e^-h x + (1 - e^-h) (denoised + h / (2 h_last) (denoised - denoised_last)), h = log(sigma / sigma').

    Denoised in the middle of the step, along the line through the last two in lambda = -log sigma. Order 2 on any
    steps; Euler from one sample. DPM-Solver++(2M): Lu et al. 2022, arXiv 2211.01095, algorithm 2.
    """
    if len(past) == 1:
        return euler_step(past, after)
    newest, last = past
    h, h_last = math.log(newest.sigma / after), math.log(last.sigma / newest.sigma)
    middle = newest.denoised + h / (2 * h_last) * (newest.denoised - last.denoised)
    return math.exp(-h) * newest.x - math.expm1(-h) * middle


def euler(velocity: Velocity, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """`x` at the last of `sigmas`, by `euler_step`."""
    return _solve(velocity, x, sigmas, euler_step, order=1)


def ipndm(velocity: Velocity, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """`x` at the last of `sigmas`, by `ipndm_step` of up to 4 samples."""
    return _solve(velocity, x, sigmas, ipndm_step, order=4)


def deis(velocity: Velocity, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """`x` at the last of `sigmas`, by `deis_step` of up to 3 samples."""
    return _solve(velocity, x, sigmas, deis_step, order=3)


def res_multistep(velocity: Velocity, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """`x` at the last of `sigmas`, by `res_multistep_step` of up to 2 samples."""
    return _solve(velocity, x, sigmas, res_multistep_step, order=2)


def dpmpp_2m(velocity: Velocity, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """`x` at the last of `sigmas`, by `dpmpp_2m_step` of up to 2 samples."""
    return _solve(velocity, x, sigmas, dpmpp_2m_step, order=2)


SOLVERS = {
    "euler": euler,
    "ipndm": ipndm,
    "deis": deis,
    "res_multistep": res_multistep,
    "dpmpp_2m": dpmpp_2m,
    "uni_pc": uni_pc,
}

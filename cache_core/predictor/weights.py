"""Weights of past outputs, as pure functions of the sigmas at which they were computed, in floats or in Fractions."""

from collections.abc import Sequence
from fractions import Fraction
from math import comb
from typing import TypeVar

Number = TypeVar("Number", float, Fraction)


def lagrange(nodes: Sequence[Number], at: Number) -> tuple[Number, ...]:
    """Weights of the polynomial through the outputs at `nodes`, evaluated at `at`.

    `w_j = prod_{m != j} (at - s_m) / (s_j - s_m)`. `nodes`: distinct sigmas, newest first. Weights sum to 1 and are
    exact for polynomials of degree < len(nodes) on any nodes. This is value extrapolation, which aims at the
    full-compute run; it is not the Adams-Bashforth quadrature, which aims at the exact ODE. AB-Cache, arXiv
    2504.10540, eq. 3.6, is the case of equally spaced nodes one step apart.
    """
    weights = []
    for j, own in enumerate(nodes):
        weight = own - own + 1
        for m, other in enumerate(nodes):
            if m != j:
                weight = weight * (at - other) / (own - other)
        weights.append(weight)
    return tuple(weights)


def binomial(order: int) -> tuple[int, ...]:
    """AB-Cache's constants `(-1)^(j+1) C(k, j)`, j = 1..k, newest first: (1), (2, -1), (3, -3, 1), ...

    Exact for polynomials of degree < k on consecutive, equally spaced outputs only; elsewhere they over-extrapolate.
    AB-Cache, arXiv 2504.10540, eq. 3.6.
    """
    return tuple((-1) ** (j + 1) * comb(order, j) for j in range(1, order + 1))


def damp(weights: Sequence[Number], damping: Number) -> tuple[Number, ...]:
    """Weights blended with plain reuse of the newest output: damping 0 leaves them, 1 is reuse. They still sum to 1."""
    newest, *older = [(1 - damping) * w for w in weights]
    return (newest + damping, *older)

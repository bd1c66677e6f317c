"""Spectrum's predictor: a ridge regression, exact for polynomials where there is no ridge."""

import numpy as np
import pytest

from cache_core.errors import ConfigError
from cache_core.predictor import Chebyshev, lagrange

SIGMAS = tuple(1 - i / 50 for i in range(51))
NODES = [SIGMAS[i] for i in (11, 8, 6, 4, 3, 2, 1, 0)]
AT = SIGMAS[13]


def test_without_ridge_and_with_five_outputs_it_is_lagrange():
    assert Chebyshev(SIGMAS, ridge=0.0, order=5).weights(NODES, AT) == pytest.approx(lagrange(NODES[:5], AT), abs=1e-7)


def test_it_nears_lagrange_as_the_ridge_goes_to_0():
    exact = np.array(lagrange(NODES[:5], AT))
    errors = [
        np.abs(np.array(Chebyshev(SIGMAS, ridge=ridge, order=5).weights(NODES, AT)) - exact).max()
        for ridge in (1e-10, 1e-12, 1e-14)
    ]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert errors[2] < 1e-3


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_without_ridge_it_is_exact_for_polynomials_of_its_degree(degree):
    weights = Chebyshev(SIGMAS, degree, ridge=0.0).weights(NODES, AT)
    for power in range(degree + 1):
        found = sum(w * node**power for w, node in zip(weights, NODES, strict=True))
        assert found == pytest.approx(AT**power, abs=1e-9)
    assert len(weights) == len(NODES)


def test_it_is_the_solution_of_the_normal_equations():
    """Written out with cosines, as no polynomial library has it."""
    steps = [11, 8, 6, 4, 3, 2, 1, 0]

    def phi(step):
        return np.cos(np.arange(5) * np.arccos(step / 25 - 1))

    basis = np.stack([phi(step) for step in steps])
    expected = phi(13) @ np.linalg.solve(basis.T @ basis + 0.1 * np.eye(5), basis.T)
    assert Chebyshev(SIGMAS).weights(NODES, AT) == pytest.approx(expected, abs=1e-9)


def test_the_ridge_shrinks_a_constant_a_little_unless_t_0_is_spared():
    total = sum(Chebyshev(SIGMAS).weights(NODES, AT))
    assert 0.9 < total < 1
    assert sum(Chebyshev(SIGMAS, shrinks=False).weights(NODES, AT)) == pytest.approx(1, abs=1e-9)


def test_the_weights_are_of_the_step_whatever_the_sigmas():
    """A shift of the sampling bends the sigmas; the released predictor sees steps alone."""
    bent = tuple(3 * s / (1 + 2 * s) for s in SIGMAS)
    nodes = [bent[i] for i in (11, 8, 6, 4, 3, 2, 1, 0)]
    assert Chebyshev(bent).weights(nodes, bent[13]) == pytest.approx(Chebyshev(SIGMAS).weights(NODES, AT), abs=1e-9)


def test_no_more_than_its_order_counts_and_one_output_is_enough():
    assert len(Chebyshev(SIGMAS, order=3).weights(NODES, AT)) == 3
    assert len(Chebyshev(SIGMAS).weights(NODES[:1], AT)) == 1


def test_settings_out_of_range_are_refused():
    for wrong in ({"degree": 11}, {"order": 0}, {"ridge": -1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Chebyshev(SIGMAS, **wrong)

"""The lab's solvers: the order each one claims, the identities of its weights, and what they all promise."""

import math
from itertools import accumulate, pairwise

import pytest
import torch

from lab.solvers import EQUAL_STEPS, SOLVERS, Sample, deis_clock, deis_weights, res_multistep_step, res_weights

COUNTS = (40, 80, 160)


def grid(steps: int, last: float, rough: bool) -> list[float]:
    """`steps` + 1 sigmas from 1 to `last`: equal steps, or h, 2h, h, 2h."""
    widths = [1 + i % 2 if rough else 1 for i in range(steps)]
    return [1.0, *(1 - (1 - last) * done / sum(widths) for done in accumulate(widths))]


def resting(sigma: float) -> float:
    """A solution that starts so flat that an Euler start costs h^5 and the order of the steps after it shows."""
    return (1 - sigma) ** 5 * math.exp(sigma)


def to_resting(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """dx/dsigma = X - x + X' of X = `resting`."""
    return resting(sigma) - x + ((1 - sigma) ** 5 - 5 * (1 - sigma) ** 4) * math.exp(sigma)


def swinging(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """dx/dsigma = x cos(3 sigma), which bends from the first step on."""
    return x * math.cos(3 * sigma)


def slope(errors: list[float]) -> float:
    """The order of convergence: minus the regression of log2 error on log2 steps, for steps that double."""
    logs = torch.tensor(errors, dtype=torch.float64).log2()
    steps = torch.arange(len(errors), dtype=torch.float64)
    steps = steps - steps.mean()
    return -float(steps @ logs / (steps @ steps))


@pytest.mark.parametrize(
    ("name", "rough", "order"),
    [
        ("euler", False, 1),
        ("euler", True, 1),
        ("ipndm", False, 4),
        ("ipndm", True, 1),
        ("deis", False, 3),
        ("deis", True, 3),
        ("res_multistep", False, 2),
        ("res_multistep", True, 2),
    ],
)
def test_errors_fall_with_the_order(name, rough, order):
    """On rough steps too, but for ipndm, whose weights are those of equal steps."""
    start = torch.tensor(resting(1.0), dtype=torch.float64)
    errors = [abs(float(SOLVERS[name](to_resting, start, grid(n, 0.2, rough))) - resting(0.2)) for n in COUNTS]
    assert slope(errors) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_whole_descent_ends_nearer_than_eulers_and_closes_in_faster(name):
    """To sigma 0 the first and the last step are Euler's: of order 2 at best, as few steps have an error of h^2."""

    def errors(solver: str) -> list[float]:
        start, exact = torch.tensor(1.0, dtype=torch.float64), math.exp(-math.sin(3) / 3)
        return [abs(float(SOLVERS[solver](swinging, start, grid(n, 0.0, False))) - exact) for n in COUNTS]

    found = errors(name)
    assert slope(found) > (0.9 if name == "euler" else 1.6)
    assert name == "euler" or all(mine < eulers for mine, eulers in zip(found, errors("euler"), strict=True))


@pytest.mark.parametrize("name", SOLVERS)
def test_straight_paths_are_exact_in_one_call_a_step(name):
    data, noise = torch.tensor([2.0, -1.0], dtype=torch.float64), torch.tensor([-0.3, 0.7], dtype=torch.float64)
    seen = []

    def velocity(x: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append(sigma)
        return (x - data) / sigma

    sigmas = grid(9, 0.0, True)
    torch.testing.assert_close(SOLVERS[name](velocity, noise, sigmas), data)
    assert seen == sigmas[:-1]


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_samples_keep_the_dtype_and_the_start_is_left_alone(name, dtype):
    noise = torch.ones(2, 3, dtype=dtype)
    samples = SOLVERS[name](swinging, noise, torch.linspace(1, 0, 7))  # sigmas may be a tensor
    assert (samples.dtype, samples.shape) == (dtype, (2, 3))
    assert torch.equal(noise, torch.ones(2, 3, dtype=dtype))


@pytest.mark.parametrize("sigmas", [[1.0, 0.5, 0.5, 0.0], [0.0, 1.0], [1.0, -0.1]])
def test_sigmas_that_do_not_fall_to_zero_are_refused(sigmas):
    with pytest.raises(ValueError, match="strictly falling"):
        SOLVERS["euler"](swinging, torch.ones(1), sigmas)


@pytest.mark.parametrize("order", EQUAL_STEPS)
def test_ipndm_integrates_polynomials_over_the_next_of_equal_steps(order):
    """sum_j w_j (-j)^k = 1 / (k + 1) for k < order."""
    for k in range(order):
        assert sum(w * (-j) ** k for j, w in enumerate(EQUAL_STEPS[order])) == pytest.approx(1 / (k + 1), abs=1e-14)


@pytest.mark.parametrize("past", [[0.7], [0.7, 0.75], [0.7, 0.75, 1.0]])
def test_deis_integrates_polynomials_of_its_clock(past):
    after = 0.3
    sigmas = torch.linspace(past[0], after, 4001, dtype=torch.float64)
    times = torch.tensor([deis_clock(float(sigma)) for sigma in sigmas], dtype=torch.float64)
    weights = deis_weights(past, after)
    assert sum(weights) == pytest.approx(after - past[0], abs=1e-14)
    for k in range(len(past)):
        exact = float(torch.trapezoid(times**k, sigmas))
        assert sum(w * deis_clock(sigma) ** k for w, sigma in zip(weights, past, strict=True)) == pytest.approx(
            exact, abs=1e-8
        )


def test_the_deis_clock_rises_from_the_cleanest_sigma_to_the_noisiest():
    assert deis_clock(80.0) == pytest.approx(1)
    assert deis_clock(0.002) == pytest.approx(1e-3)
    assert all(deis_clock(high) > deis_clock(low) for high, low in pairwise(grid(20, 0.0, True)))


@pytest.mark.parametrize(("h", "h_last"), [(0.5, 0.5), (0.1, 0.8), (2.0, 0.3)])
def test_res_weights_carry_a_constant(h, h_last):
    assert h * sum(res_weights(h, h_last)) == pytest.approx(1 - math.exp(-h), abs=1e-14)


def test_a_res_step_is_exact_where_the_denoised_sample_is_linear_in_log_sigma():
    """denoised = a - b log sigma is solved by x = c sigma + a - b (log sigma + 1)."""
    a, b, c = 0.4, -1.3, 2.0

    def solution(sigma: float) -> torch.Tensor:
        return torch.tensor(c * sigma + a - b * (math.log(sigma) + 1), dtype=torch.float64)

    past = [Sample(sigma, solution(sigma), torch.tensor(c - b / sigma, dtype=torch.float64)) for sigma in (0.6, 0.9)]
    assert float(past[0].denoised) == pytest.approx(a - b * math.log(0.6))
    torch.testing.assert_close(res_multistep_step(past, 0.25), solution(0.25))

"""The lab's solvers: the order each one claims, the identities of its weights, and what they all promise."""

import math
from itertools import accumulate, pairwise

import pytest
import torch

from lab.sample import simple_sigmas
from lab.solvers import (
    EQUAL_STEPS,
    SOLVERS,
    Sample,
    deis_clock,
    deis_weights,
    dpmpp_2m_step,
    res_multistep_step,
    res_weights,
)
from lab.uni_pc import LAST, coefficients, moved

COUNTS = (40, 80, 160)
ENDS = dict.fromkeys(SOLVERS, 0.0) | {"uni_pc": LAST}  # the sigma where a solver ends that is asked for 0


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
        ("dpmpp_2m", False, 2),
        ("dpmpp_2m", True, 2),
        ("uni_pc", False, 2),
        ("uni_pc", True, 2),
    ],
)
def test_errors_fall_with_the_order(name, rough, order):
    """On rough steps too, but for ipndm, whose weights are those of equal steps. UniPC ends with a step of order 1."""
    start = torch.tensor(resting(1.0), dtype=torch.float64)
    errors = [abs(float(SOLVERS[name](to_resting, start, grid(n, 0.2, rough))) - resting(0.2)) for n in COUNTS]
    assert slope(errors) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_whole_descent_ends_nearer_than_eulers_and_closes_in_faster(name):
    """To sigma 0 the first and the last step are Euler's: of order 2 at best, as few steps have an error of h^2."""

    def errors(solver: str) -> list[float]:
        start, end = torch.tensor(1.0, dtype=torch.float64), ENDS[solver]
        exact = math.exp((math.sin(3 * end) - math.sin(3)) / 3)
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
    torch.testing.assert_close(SOLVERS[name](velocity, noise, sigmas), data + ENDS[name] * (noise - data))
    assert seen == sigmas[:-1]


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_samples_keep_the_dtype_and_the_start_is_left_alone(name, dtype):
    noise = torch.ones(2, 3, dtype=dtype)
    samples = SOLVERS[name](swinging, noise, torch.linspace(1, 0, 7))  # sigmas may be a tensor
    assert (samples.dtype, samples.shape) == (dtype, (2, 3))
    assert torch.equal(noise, torch.ones(2, 3, dtype=dtype))


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("sigmas", [[1.0, 0.5, 0.5, 0.0], [0.0, 1.0], [1.0, -0.1]])
def test_sigmas_that_do_not_fall_to_zero_are_refused(name, sigmas):
    with pytest.raises(ValueError, match="strictly falling"):
        SOLVERS[name](swinging, torch.ones(1), sigmas)


@pytest.mark.parametrize("name", SOLVERS)
def test_without_a_step_the_model_is_not_asked(name):
    assert SOLVERS[name](None, torch.ones(1), [1.0]) == torch.ones(1)


@pytest.mark.parametrize("name", SOLVERS)
def test_one_step_is_eulers(name):
    start = torch.tensor(1.0, dtype=torch.float64)
    torch.testing.assert_close(SOLVERS[name](swinging, start, [0.9, 0.4]), start - 0.5 * swinging(start, 0.9))


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


def linear(sigma: float, a: float = 0.4, b: float = -1.3, c: float = 2.0) -> Sample:
    """A point of x = c sigma + a - b (log sigma + 1), which solves the ODE of denoised = a - b log sigma."""
    x, slope = c * sigma + a - b * (math.log(sigma) + 1), c - b / sigma
    return Sample(sigma, *torch.tensor([x, slope], dtype=torch.float64))


def test_a_res_step_is_exact_where_the_denoised_sample_is_linear_in_log_sigma():
    past = [linear(0.6), linear(0.9)]
    assert float(past[0].denoised) == pytest.approx(0.4 + 1.3 * math.log(0.6))
    torch.testing.assert_close(res_multistep_step(past, 0.25), linear(0.25).x)


def test_a_dpmpp_2m_step_takes_the_denoised_sample_at_its_middle():
    """Where that is linear in log sigma, a step of h is off by 1 - e^-h - (1 + e^-h) h / 2 times its slope."""
    past, slope = [linear(0.6), linear(0.9)], -1.3
    h = math.log(0.6 / 0.25)
    off = slope * (-math.expm1(-h) - (1 + math.exp(-h)) * h / 2)
    torch.testing.assert_close(dpmpp_2m_step(past, 0.25), linear(0.25).x + off)


def curved(sigma: float, degree: int) -> tuple[torch.Tensor, torch.Tensor]:
    """x and denoised where denoised = l^n of l = -log sigma: x = `sum_k (-1)^k n! / (n - k)! l^(n - k)` solves it,
    and so does any multiple of sigma more."""
    l = -math.log(sigma)
    terms = [(-1) ** k * math.perm(degree, k) * l ** (degree - k) for k in range(degree + 1)]
    return torch.tensor(sum(terms) + 1.7 * sigma, dtype=torch.float64), torch.tensor(l**degree, dtype=torch.float64)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_uni_pc_predicts_parabolas_and_corrects_cubics_in_log_sigma(degree):
    past, after = [(sigma, curved(sigma, degree)[1]) for sigma in (0.6, 0.72, 0.95)], 0.25
    start, (end, answer) = curved(0.6, degree)[0], curved(after, degree)
    torch.testing.assert_close(moved(start, past, after, answer), end)
    if degree < 3:
        torch.testing.assert_close(moved(start, past, after), end)


@pytest.mark.parametrize("ratios", [[-0.4], [-0.4, -1.1], [-0.4, -1.1, 1.0]])
def test_uni_pc_s_coefficients_come_near_the_taylor_series_with_short_steps(ratios):
    """i! phi_(i+1)(-h) tends to 1 / (i + 1), the mean of t^i over a step."""
    rho = coefficients(ratios, 1e-3)
    for i in range(len(ratios)):
        assert sum(r * ratio**i for r, ratio in zip(rho, ratios, strict=True)) == pytest.approx(1 / (i + 2), abs=1e-3)


@pytest.mark.parametrize("shift", [1.0, 3.0, 8.0])
def test_simple_sigmas_fall_from_one_to_zero_in_steps_of_the_table(shift):
    sigmas = simple_sigmas(30, shift)
    assert (len(sigmas), sigmas[0], sigmas[-1]) == (31, 1.0, 0.0)
    assert all(after < sigma for sigma, after in pairwise(sigmas))
    times = [1000 * sigma / (shift - (shift - 1) * sigma) for sigma in sigmas]
    assert times == pytest.approx([1000 - int(i * 1000 / 30) for i in range(30)] + [0.0], abs=0.1)

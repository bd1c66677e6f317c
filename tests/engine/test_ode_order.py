"""The order of the whole engine: the distance of a cached run from the full one, on an equation with a known
solution."""

from math import log2
from statistics import linear_regression

import pytest
import torch

from cache_core import OUTPUT, Extrapolation, Frame, Interval, Plan, Run, Timeline
from cache_core.run.engine import evaluate
from lab.sample import flow_sigmas

SIZES = (16, 32, 64, 128)
RATE, PULL = torch.tensor([[0.5, 1.5, 3.0]], dtype=torch.float64), 1.0


def euler(steps, interval=1, predictor=None):
    """The end of dx/ds = -RATE x + PULL, s = 1 - sigma, from x = 2: every `interval`-th step is computed, the others
    predicted."""
    sigmas = flow_sigmas(steps)
    run = Run(
        (Plan(Interval(OUTPUT, interval, Frame(warmup=0, final=0)), predictor or Extrapolation()),),
        Timeline.flow(sigmas),
    )
    x = torch.full_like(RATE, 2.0)
    for sigma, after in zip(sigmas, sigmas[1:], strict=False):
        run.begin(sigma)
        velocity = evaluate(run, ["a"], "shape", lambda x=x: RATE * x - PULL)
        x = x + (after - sigma) * velocity
    return x


def slope(predictor):
    """Of the distance from the full run, when every other step is predicted."""
    errors = [float((euler(n, 2, predictor) - euler(n)).norm()) for n in SIZES]
    return linear_regression([-log2(n) for n in SIZES], [log2(e) for e in errors]).slope


def test_the_full_run_goes_to_the_solution():
    solution = PULL / RATE + (2 - PULL / RATE) * (-RATE).exp()
    errors = [float((euler(n) - solution).norm()) for n in SIZES]
    assert linear_regression([-log2(n) for n in SIZES], [log2(e) for e in errors]).slope == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("order", [1, 2])
def test_the_distance_from_the_full_run_falls_with_the_step_to_the_power_of_the_order(order):
    assert slope(Extrapolation(order=order)) == pytest.approx(order, abs=0.25)


def test_a_prediction_within_a_step_is_for_its_own_sigma():
    run = Run((Plan(Interval(OUTPUT, 4, Frame(warmup=2)), Extrapolation(order=2)),), Timeline.flow(flow_sigmas(8)))
    asked = [1.0, 7 / 8, 6 / 8, 5.5 / 8, 4.25 / 8]
    answers = []
    for sigma in asked:
        run.begin(sigma)
        answers.append(
            float(evaluate(run, ["a"], "shape", lambda sigma=sigma: torch.full((1, 1), sigma, dtype=torch.float64)))
        )
    assert [bool(e.predicted) for e in run.evaluations] == [False, False, True, True, True]
    assert answers == pytest.approx(asked, abs=1e-6)


def test_the_papers_constants_are_of_first_order_when_steps_are_left_out():
    assert slope(Extrapolation(order=2, coefficients="paper")) == pytest.approx(1, abs=0.25)

"""The order of a predictor is the slope of its error."""

import random
from math import exp, log2, sin, sqrt
from statistics import linear_regression, mean

import pytest

from cache_core import Extrapolation

SIZES = (32, 64, 128, 256)


def uniform(n):
    return [i / n for i in range(n + 1)]


def graded(n):
    return [(i / n) ** 1.5 for i in range(n + 1)]


def alternating(n):
    """Steps h, 2h, h, 2h, ..."""
    return from_gaps([1 + i % 2 for i in range(n)])


def rough(n):
    chance = random.Random(n)
    return from_gaps([chance.uniform(0.5, 1.5) for _ in range(n)])


def from_gaps(gaps):
    return [sum(gaps[:i]) / sum(gaps) for i in range(len(gaps) + 1)]


def smooth(t):
    return sin(3 * t) + exp(-t)


def error(predictor, grid):
    """Root mean square error of predicting each point of `grid` from those before it."""
    mistakes = []
    for i in range(predictor.order, len(grid)):
        past = grid[i - predictor.order : i][::-1]
        guess = sum(w * smooth(t) for w, t in zip(predictor.weights(past, grid[i]), past, strict=True))
        mistakes.append(guess - smooth(grid[i]))
    return sqrt(mean(m * m for m in mistakes))


def slope(predictor, grid_of):
    errors = [log2(error(predictor, grid_of(n))) for n in SIZES]
    return linear_regression([-log2(n) for n in SIZES], errors).slope


@pytest.mark.parametrize("grid_of", [uniform, graded, alternating, rough])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_error_falls_with_the_step_to_the_power_of_the_order(order, grid_of):
    predictor = Extrapolation(order=order)
    assert slope(predictor, grid_of) == pytest.approx(predictor.order, abs=0.25)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_the_papers_constants_have_their_order_on_even_steps_alone(order):
    paper = Extrapolation(order=order, coefficients="paper")
    assert slope(paper, uniform) == pytest.approx(order, abs=0.25)
    assert slope(paper, alternating) == pytest.approx(1, abs=0.25)


def test_damping_costs_the_second_order():
    assert slope(Extrapolation(order=2, damping=0.5), uniform) == pytest.approx(1, abs=0.25)

"""Weights of past outputs: exact identities, in fractions."""

import random
from fractions import Fraction

import pytest

from cache_core import ConfigError, Extrapolation
from cache_core.predictor import binomial, damp, lagrange

SEEDS = range(40)
ORDERS = (1, 2, 3, 4)


def fractions(chance, count):
    """`count` distinct fractions, in no order."""
    return [Fraction(n, 12) for n in chance.sample(range(-90, 90), count)]


def polynomial(coefficients, at):
    return sum(c * at**power for power, c in enumerate(coefficients))


@pytest.mark.parametrize("order", ORDERS)
def test_weights_sum_to_one_and_are_exact_for_polynomials_below_their_order(order):
    for chance in map(random.Random, SEEDS):
        *nodes, at = fractions(chance, order + 1)
        curve = fractions(chance, order)
        weights = lagrange(nodes, at)
        assert sum(weights) == 1
        assert sum(w * polynomial(curve, s) for w, s in zip(weights, nodes, strict=True)) == polynomial(curve, at)


@pytest.mark.parametrize("order", ORDERS)
def test_weights_do_not_depend_on_the_unit_or_origin_of_the_clock(order):
    for chance in map(random.Random, SEEDS):
        *nodes, at = fractions(chance, order + 1)
        scale, shift = fractions(chance, 2)
        scale = scale or Fraction(1)
        assert lagrange([scale * s + shift for s in nodes], scale * at + shift) == lagrange(nodes, at)


@pytest.mark.parametrize(("apart", "ahead"), [(1, 1), (6, 1), (6, 5), (3, 7)])
def test_two_samples_apart_predict_ahead_in_proportion(apart, ahead):
    ratio = Fraction(ahead, apart)
    newest = Fraction(10)
    assert lagrange([newest, newest + apart], newest - ahead) == (1 + ratio, -ratio)


@pytest.mark.parametrize("order", range(1, 6))
def test_the_papers_constants_are_the_weights_of_consecutive_steps_one_ahead(order):
    consecutive = [Fraction(n) for n in range(1, order + 1)]
    assert binomial(order) == lagrange(consecutive, Fraction(0))


@pytest.mark.parametrize("order", range(2, 6))
def test_the_papers_constants_are_wrong_for_other_spacings(order):
    consecutive = [Fraction(n) for n in range(1, order + 1)]
    graded = [s * s for s in consecutive]
    assert binomial(order) != lagrange(consecutive, Fraction(-1))
    assert binomial(order) != lagrange(graded, Fraction(0))


@pytest.mark.parametrize("damping", [Fraction(0), Fraction(1, 3), Fraction(1)])
@pytest.mark.parametrize("order", ORDERS)
def test_damped_weights_sum_to_one(order, damping):
    assert sum(damp(binomial(order), damping)) == 1


def test_full_damping_is_reuse_and_no_damping_changes_nothing():
    assert damp((3, -3, 1), 1) == (1, 0, 0)
    assert damp((3, -3, 1), 0) == (3, -3, 1)


@pytest.mark.parametrize("coefficients", ["node-aware", "paper"])
def test_the_order_grows_with_the_samples_at_hand(coefficients):
    predictor = Extrapolation(order=4, coefficients=coefficients)
    nodes = [0.5, 0.6, 0.7, 0.8, 0.9]
    assert [len(predictor.weights(nodes[:have], 0.4)) for have in range(1, 6)] == [1, 2, 3, 4, 4]


def test_only_the_newest_samples_are_weighed():
    nodes = [0.5, 0.6, 0.7, 0.8]
    assert Extrapolation(order=2).weights(nodes, 0.4) == Extrapolation(order=2).weights(nodes[:2], 0.4)


@pytest.mark.parametrize("coefficients", ["node-aware", "paper"])
@pytest.mark.parametrize(("limit", "order"), [(15, 4), (14, 3), (7, 3), (6, 2), (3, 2), (2, 1), (0, 1)])
def test_the_order_falls_until_the_noise_gain_is_within_its_limit(limit, order, coefficients):
    predictor = Extrapolation(order=4, coefficients=coefficients, gain_limit=limit)
    assert len(predictor.weights([1.0, 2.0, 3.0, 4.0], 0.0)) == order  # gains of orders 1 to 4 there: 1, 3, 7, 15


def test_predicting_from_nothing_is_refused():
    with pytest.raises(ValueError, match="no sample"):
        Extrapolation().weights([], 0.5)


@pytest.mark.parametrize(
    "bad", [{"order": 0}, {"order": 5}, {"damping": -0.1}, {"damping": float("nan")}, {"coefficients": "magic"}]
)
def test_a_predictor_names_the_value_it_refuses(bad):
    (value,) = bad.values()
    with pytest.raises(ConfigError, match=str(value)):
        Extrapolation(**bad)

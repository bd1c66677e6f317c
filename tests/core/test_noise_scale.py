"""Noise scaling, on plain numbers."""

import math

import pytest

from cache_core import ConfigError, NoiseScale, scale_noise
from cache_core.noise_scale import OFF, PAPER_TEXT, RELEASED_CODE, staged_scale

HIGH, LOW, BOUNDARY = 0.98, 0.96, 0.4


def b(time):
    return staged_scale(time, HIGH, LOW, BOUNDARY)


def test_pure_noise_is_not_scaled():
    assert b(1.0) == 1.0


def test_the_stages_meet_at_the_boundary():
    assert abs(b(BOUNDARY + 1e-12) - b(BOUNDARY)) <= 0.007 * (1 - HIGH)


def test_the_factor_falls_from_one_over_its_high_value_towards_its_low_value():
    falling = [b(1 - i / 100) for i in range(101)]
    assert falling == sorted(falling, reverse=True)
    assert b(BOUNDARY) == HIGH
    assert LOW < falling[-1] < LOW + 0.05 * (HIGH - LOW)


def test_a_boundary_at_pure_noise_leaves_the_low_stage_alone():
    assert staged_scale(0.7, HIGH, LOW, 1.0) == LOW


def test_a_factor_of_one_hands_back_the_very_prediction():
    denoised = [1.5]
    assert scale_noise(7.0, denoised, 0.5, 1.0) is denoised


def test_noise_that_cannot_be_told_from_x_is_left_alone():
    denoised = [1.5]
    assert scale_noise(7.0, denoised, 0.0, 0.98) is denoised
    assert scale_noise(7.0, denoised, 1e-4, 0.98) is denoised


@pytest.mark.parametrize("sigma", [0.05, 0.4, 0.9, 0.99])
def test_a_flow_models_noise_is_scaled_not_its_velocity(sigma):
    x, velocity, factor = 0.7, -1.3, 0.96
    denoised = scale_noise(x, x - sigma * velocity, 1 - sigma, factor)
    assert (x - denoised) / sigma == pytest.approx((factor * (x + (1 - sigma) * velocity) - x) / (1 - sigma))


def test_scaling_multiplies_the_noise_and_keeps_x():
    alpha, sigma, clean, noise = 0.8, 0.6, 2.0, -1.0
    x = alpha * clean + sigma * noise
    scaled = scale_noise(x, clean, alpha, 1.05)
    assert (x - alpha * scaled) / sigma == pytest.approx(1.05 * noise)


def test_the_papers_text_and_its_released_code_point_in_opposite_directions():
    for time in (0.1, 0.4, 0.7):
        assert PAPER_TEXT.factor(time) < 1 < RELEASED_CODE.factor(time)


def test_the_released_code_divides_by_its_delta_in_both_stages():
    assert {RELEASED_CODE.factor(t) for t in (0.0, 0.2, 0.4, 0.6, 1.0)} == {1 / 0.965}


def test_an_unstaged_scale_switches_at_the_boundary():
    scale = NoiseScale(high=0.98, low=1.02, boundary=0.4, staged=False)
    assert [scale.factor(t) for t in (0.41, 0.4)] == [0.98, 1.02]


def test_off_is_off_at_all_times():
    assert not OFF.active
    assert {OFF.factor(i / 10) for i in range(11)} == {1.0}
    assert NoiseScale(low=0.99).active


@pytest.mark.parametrize("bad", [{"high": 0.5}, {"low": 1.2}, {"boundary": 1.5}, {"high": math.nan}])
def test_a_scale_names_the_value_it_refuses(bad):
    (value,) = bad.values()
    with pytest.raises(ConfigError, match=str(value)):
        NoiseScale(**bad)

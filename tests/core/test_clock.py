"""Steps that sigmas fall into, and sigmas that are one."""

import pytest

from cache_core import Timeline
from cache_core.timeline import SAME_NODE, SAME_SAMPLING, SAME_STEP, same, same_sampling

SIGMAS = (1.0, 0.8, 0.5, 0.2, 0.0)
TIMELINE = Timeline.flow(SIGMAS)


def steps_of(*sigmas):
    return [TIMELINE.step_of(sigma) for sigma in sigmas]


def test_a_listed_sigma_starts_its_step():
    assert steps_of(*SIGMAS[:-1]) == [0, 1, 2, 3]


@pytest.mark.parametrize("rounding", [1 - 1e-6, 1 + 1e-6])
def test_rounding_in_a_listed_sigma_does_not_change_its_step(rounding):
    assert steps_of(*(sigma * rounding for sigma in SIGMAS[:-1])) == [0, 1, 2, 3]


def test_a_sigma_within_a_step_belongs_to_that_step():
    assert steps_of(0.9, 0.7, 0.3, 0.1, 0.001) == [0, 1, 2, 3, 3]


def test_a_sigma_above_the_first_belongs_to_the_first_step():
    assert steps_of(1.2, 14.6) == [0, 0]


def test_going_back_to_a_sigma_gives_its_step_again():
    assert steps_of(1.0, 0.5, 0.8, 0.5) == [0, 2, 1, 2]


def test_a_sampler_that_ends_its_step_with_an_evaluation_has_two_at_the_next_sigma():
    heun = [s for pair in zip(SIGMAS[:-2], SIGMAS[1:-1], strict=True) for s in pair]
    assert steps_of(*heun) == [0, 1, 1, 2, 2, 3]


def test_a_sampler_with_an_evaluation_halfway_has_two_in_each_step():
    midpoints = [s for sigma, after in zip(SIGMAS, SIGMAS[1:], strict=False) for s in (sigma, (sigma + after) / 2)]
    assert steps_of(*midpoints) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_flow_models_time_is_its_sigma_and_the_last_sigma_is_no_step():
    assert TIMELINE.times == SIGMAS[:-1]
    assert TIMELINE.steps == 4


def test_a_window_is_counted_in_the_samplings_own_percentages():
    halved = Timeline(SIGMAS, SIGMAS[:-1], lambda percent: (1 - percent) / 2)
    assert [TIMELINE.inside(s, 0.2, 0.8) for s in range(4)] == [False, True, True, True]
    assert [halved.inside(s, 0.2, 0.8) for s in range(4)] == [False, False, False, True]


def test_the_whole_window_holds_sigmas_above_any_percentage():
    assert Timeline.flow((80.0, 1.0, 0.0)).inside(0, 0.0, 1.0)


@pytest.mark.parametrize("tolerance", [SAME_NODE, SAME_STEP])
@pytest.mark.parametrize("sigma", [0.003, 1.0, 14.6])
def test_two_sigmas_are_one_within_a_tolerance_that_is_relative(tolerance, sigma):
    assert same(sigma, sigma * (1 + 0.9 * tolerance), tolerance)
    assert not same(sigma, sigma * (1 + 1.1 * tolerance), tolerance)


def test_a_sampling_is_the_same_within_a_share_of_its_first_sigma_and_with_as_many_steps():
    first = 10.0
    saved = tuple(first * sigma for sigma in SIGMAS)
    for apart, one in ((0.9 * SAME_SAMPLING, True), (1.1 * SAME_SAMPLING, False)):
        assert same_sampling(saved, tuple(sigma + apart * first for sigma in saved)) is one
    assert not same_sampling(saved, saved[1:])

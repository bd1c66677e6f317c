"""The response of a sampler: its states as sums of the model's outputs."""

import numpy as np
import pytest

from cache_core import Timeline
from cache_core.response import Response

SIGMAS = (1.0, 0.7, 0.5, 0.1, 0.0)


def test_a_row_of_eulers_holds_the_steps_that_were_made():
    response = Response.of_euler(SIGMAS)
    assert response.start == (1.0,) * 5
    assert response.outputs == tuple(
        pytest.approx(row)
        for row in ((0, 0, 0, 0), (-0.3, 0, 0, 0), (-0.3, -0.2, 0, 0), (-0.3, -0.2, -0.4, 0), (-0.3, -0.2, -0.4, -0.1))
    )


def test_by_eulers_rule_an_error_moves_the_end_by_the_length_of_its_step():
    assert Response.of_euler(SIGMAS).final == pytest.approx(np.diff(SIGMAS))


def test_its_rows_give_the_states_of_eulers_rule():
    response, draw = Response.of_euler(SIGMAS), np.random.default_rng(0)
    states, outputs = [draw.normal(size=3)], draw.normal(size=(4, 3))
    for step, output in enumerate(outputs):
        states.append(states[-1] + (SIGMAS[step + 1] - SIGMAS[step]) * output)
    np.testing.assert_allclose(np.outer(response.start, states[0]) + np.array(response.outputs) @ outputs, states)


def test_a_timeline_has_the_response_that_is_known_or_eulers_and_loses_it_with_steps():
    known = Response((1.0,) * 5, ((0.5,) * 4,) * 5)
    assert Timeline.flow(SIGMAS).responds == Response.of_euler(SIGMAS)
    timeline = Timeline(SIGMAS, SIGMAS[:-1], response=known)
    assert timeline.responds == known
    assert timeline.only((0, 2)).responds == Response.of_euler((1.0, 0.5, 0.0))

"""Steering: whatever errors the outputs of a sampling have had, it ends where the reference does."""

import numpy as np
import pytest

from cache_core.planning import Normal, Steering
from cache_core.planning.steering import RIDGE
from cache_core.predictor import lagrange
from cache_core.response import Response

STEPS = 16
SIGMAS = tuple(float(s) for s in np.linspace(1, 0, STEPS + 1) ** 1.3)
NODES = SIGMAS[:-1]
COMPUTED = (0, 1, 3, 6, 9, 12, 15)
START = np.array([0.4, -1.1])


def adams(sigmas=SIGMAS):
    """The response of two-step Adams-Bashforth on these sigmas, as if its steps were equal; the first is Euler's."""
    moves, rows = np.diff(sigmas), np.zeros((len(sigmas), len(sigmas) - 1))
    for step, move in enumerate(moves):
        rows[step + 1] = rows[step]
        for other, share in ((step, 1.5), (step - 1, -0.5)) if step else ((0, 1.0),):
            rows[step + 1, other] += share * move
    return Response((1.0,) * len(rows), tuple(map(tuple, rows.tolist())))


RESPONSES = {"euler": Response.of_euler(SIGMAS), "adams": adams()}


def model(state, sigma):
    """Outputs `(2,)` that bend, and depend on the state."""
    return np.array([state[1] * np.cos(3 * sigma), np.sin(2 * state[0]) + 2 * sigma**2])


def sampled(response, value, start=START):
    """The outputs `(N, P)` and the end of a sampling whose output at a step is `value(step, state)`."""
    outputs = []
    for step in range(STEPS):
        outputs.append(value(step, state_before(step, response, outputs, start)))
    return np.stack(outputs), state_before(STEPS, response, outputs, start)


def state_before(step, response, outputs, start):
    moved = sum(weight * output for weight, output in zip(response.outputs[step], outputs, strict=False))
    return response.start[step] * start + moved


def uncached(response, start=START):
    return sampled(response, lambda step, state: model(state, NODES[step]), start)


def extrapolated(response):
    """The end of a sampling that predicts by order 2 and corrects nothing."""
    kept = []

    def value(step, state):
        if step in COMPUTED:
            kept.insert(0, (step, model(state, NODES[step])))
            return kept[0][1]
        weights = lagrange([NODES[other] for other, _ in kept[:2]], NODES[step])
        return sum(w * output for w, (_, output) in zip(weights, kept, strict=False))

    return sampled(response, value)[1]


def steered(response, steering, start=START):
    """The end of a sampling that is steered."""
    kept = []

    def value(step, state):
        if step in COMPUTED:
            kept.insert(0, (step, model(state, NODES[step])))
        output = kept[0][1]
        if len(kept) > 1:
            fit = steering.corrected(step, kept) if step in COMPUTED else steering.predicted(step, kept)
            output = sum(w * kept[place][1] for place, w in enumerate(fit.weights))
        steering.note(step, output)
        return output

    return sampled(response, value, start)[1]


def apart(a, b):
    return float(np.linalg.norm(a - b))


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
def test_a_sampling_ends_where_the_reference_does_whatever_its_order(response):
    reference, end = uncached(response)
    far = apart(extrapolated(response), end)
    assert far > 1e-3
    assert apart(steered(response, Steering(NODES, response.final, reference, Normal())), end) < 0.01 * far


def test_a_sampler_that_is_steered_as_if_it_were_euler_ends_farther_off():
    reference, end = uncached(RESPONSES["adams"])
    own, other = (
        apart(steered(RESPONSES["adams"], Steering(NODES, response.final, reference, Normal())), end)
        for response in (RESPONSES["adams"], RESPONSES["euler"])
    )
    assert own < 0.1 * other


def test_without_a_share_each_output_is_only_brought_to_its_own():
    response = RESPONSES["euler"]
    reference, end = uncached(response)
    steering = Steering(NODES, response.final, reference, Normal(), share=0.0)
    near = apart(steered(response, Steering(NODES, response.final, reference, Normal())), end)
    assert near < 0.1 * apart(steered(response, steering), end)
    np.testing.assert_array_equal(steering.target(STEPS - 1), reference[-1])


def test_weights_sum_to_one_and_name_the_sigmas_of_their_outputs():
    response = RESPONSES["euler"]
    steering = Steering(NODES, response.final, uncached(response)[0], Normal())
    steered(response, steering)
    assert list(steering.fits) == list(range(1, STEPS))
    for step, fit in steering.fits.items():
        computed = [other for other in COMPUTED if other <= step][::-1]
        assert fit.at == NODES[step]
        assert fit.nodes == tuple(NODES[other] for other in computed[: 4 if step in COMPUTED else 3])
        assert fit.corrects == (step in COMPUTED)
        assert sum(fit.weights) == pytest.approx(1)


def test_an_output_off_the_reference_is_made_up_for_by_what_it_moved():
    final = (0.5, -2.0, 4.0)
    steering = Steering((3.0, 2.0, 1.0), final, np.zeros((3, 2)), Normal(), share=0.5)
    steering.note(0, np.array([1.0, 0.0]))
    steering.note(1, np.array([0.0, 3.0]))
    np.testing.assert_allclose(steering.target(2), -0.5 / 4.0 * np.array([0.5, -6.0]))


def test_of_several_outputs_at_a_step_the_last_counts():
    def target(*noted):
        steering = Steering(NODES, RESPONSES["adams"].final, np.zeros((STEPS, 2)), Normal())
        for step, value in noted:
            steering.note(step, np.full(2, float(value)))
        return steering.target(4)

    np.testing.assert_array_equal(target((2, 1), (3, 7), (3, 2)), target((2, 1), (3, 2)))
    assert not np.allclose(target((2, 1), (3, 7)), target((2, 1), (3, 2)))
    np.testing.assert_array_equal(target((2, 1), (3, 2), (4, 9)), target((2, 1), (3, 2)))  # not moved by its own


def test_the_normal_equations_are_summed_over_samplings_and_kept_apart_by_step_and_size():
    draw = np.random.default_rng(0)
    bases, wanted = draw.normal(size=(3, 2, 50)), draw.normal(size=(3, 50))
    normal = Normal()
    found = [normal.solve(4, basis, target) for basis, target in zip(bases, wanted, strict=True)]
    normal.solve(4, draw.normal(size=(3, 50)), wanted[0])  # with one output more, as heunpp2 has when it comes back
    normal.solve(5, bases[0], wanted[0])
    for count in (1, 2, 3):
        whole, aim = np.concatenate(bases[:count], axis=1), np.concatenate(wanted[:count])
        matrix = whole @ whole.T
        expected = np.linalg.solve(matrix + RIDGE * np.diag(matrix.diagonal()), whole @ aim)
        np.testing.assert_allclose(found[count - 1], expected, rtol=1e-9)
    again = normal.solve(4, 0 * bases[0], 0 * wanted[0])  # nothing is added
    np.testing.assert_allclose(again, found[-1])


def test_a_second_sampling_is_fitted_to_the_first_too():
    """Between two starts the weights of both together are worse for each than its own, and better than the other's."""
    response, starts = RESPONSES["euler"], (START, np.array([-0.9, 0.3]))
    references = [uncached(response, start) for start in starts]

    def end(normal, number):
        steering = Steering(NODES, response.final, references[number][0], normal)
        return apart(steered(response, steering, starts[number]), references[number][1])

    both = Normal()
    end(both, 0)
    assert end(Normal(), 1) < end(both, 1)


def test_equal_outputs_leave_the_fit_at_order_2():
    steering = Steering(NODES, RESPONSES["euler"].final, np.ones((STEPS, 2)), Normal())
    kept = [(2, np.ones(2)), (0, np.ones(2))]
    assert steering.predicted(3, kept).weights == pytest.approx(lagrange((NODES[2], NODES[0]), NODES[3]))
    assert steering.corrected(2, kept).weights == pytest.approx((1, 0))

"""Plans from Gaussian data: right for that data, and the same for every sampler."""

from dataclasses import replace

import numpy as np
import pytest

from cache_core import Timeline, evenly
from cache_core.planning import least_steps, prior_fits, prior_steps
from cache_core.planning.prior import FOR_STEPS, FOR_WEIGHTS, Modes
from cache_core.planning.steps import first_gap
from cache_core.predictor import Extrapolation, Fitted
from cache_core.response import Response

SETTINGS = [(steps, shift) for steps in (8, 20, 28, 50, 250) for shift in (1.0, 3.0, 8.0)]


def timeline_of(steps, shift=1.0, guidance=1.0):
    even = (1 - i / steps for i in range(steps + 1))
    return replace(Timeline.flow(tuple(shift * s / (1 + (shift - 1) * s) for s in even)), guidance=guidance)


def adams(timeline):
    """The timeline of two-step Adams-Bashforth at the same sigmas, as if its steps were equal."""
    moves, rows = np.diff(timeline.sigmas), np.zeros((timeline.steps + 1, timeline.steps))
    for step, move in enumerate(moves):
        rows[step + 1] = rows[step]
        for other, share in ((step, 1.5), (step - 1, -0.5)) if step else ((0, 1.0),):
            rows[step + 1, other] += share * move
    return replace(timeline, response=Response((1.0,) * (timeline.steps + 1), tuple(map(tuple, rows.tolist()))))


def sampled(timeline, steps, predictor, modes=FOR_WEIGHTS):
    """The end of a sampling of Gaussian data that computes `steps` and predicts and corrects the others."""
    response, outputs, kept = timeline.responds, [], []
    start = modes.start(timeline.signal[0], timeline.sigmas[0])

    def state_before(step):
        moved = sum(weight * output for weight, output in zip(response.outputs[step], outputs, strict=False))
        return response.start[step] * start + moved

    for step, sigma in enumerate(timeline.sigmas[:-1]):
        nodes = [node for node, _ in kept]
        if step in steps:
            kept.insert(0, (sigma, modes.output(state_before(step), timeline.signal[step], sigma, timeline.guidance)))
            weights = predictor.correction([sigma, *nodes]) or (1.0,)
        else:
            weights = predictor.weights(nodes[: predictor.order], sigma)
        outputs.append(sum(w * output for w, (_, output) in zip(weights, kept, strict=False)))
    return state_before(timeline.steps)


def drift(timeline, steps, predictor):
    end = sampled(timeline, range(timeline.steps), Extrapolation(1))
    return float(np.linalg.norm(sampled(timeline, steps, predictor) - end) / np.linalg.norm(end))


def fitted(timeline, steps):
    return Fitted(prior_fits(timeline, steps))


@pytest.mark.parametrize(("steps", "shift"), SETTINGS)
def test_the_first_and_the_last_step_are_computed_and_as_many_as_asked(steps, shift):
    timeline = timeline_of(steps, shift)
    for count in sorted({least_steps(steps, fits=True), round(steps / 3), round(steps / 2), steps - 1, steps}):
        chosen = prior_steps(timeline, max(count, least_steps(steps, fits=True)))
        assert len(chosen) == len(set(chosen)) == max(count, least_steps(steps, fits=True))
        assert (chosen[0], chosen[-1]) == (0, steps - 1)
        assert list(chosen) == sorted(chosen)
        assert chosen[1] <= first_gap(steps, fits=True)


def test_the_steps_are_the_same_for_every_sampler_and_guidance():
    plain = timeline_of(28, 3.0)
    assert prior_steps(adams(plain), 12) == prior_steps(plain, 12) == prior_steps(replace(plain, guidance=7.0), 12)
    assert prior_steps(timeline_of(28, 1.0), 12) != prior_steps(plain, 12)


@pytest.mark.parametrize("guidance", [1.0, 6.0])
@pytest.mark.parametrize(("steps", "shift"), SETTINGS)
def test_weights_sum_to_one_from_the_second_computed_step_on(steps, shift, guidance):
    timeline = timeline_of(steps, shift, guidance)
    chosen = prior_steps(timeline, max(least_steps(steps, fits=True), round(steps / 2)))
    fits = prior_fits(timeline, chosen)
    assert [fit.at for fit in fits] == list(timeline.sigmas[chosen[1] : -1])
    assert [fit.corrects for fit in fits] == [step in chosen for step in range(chosen[1], steps)]
    assert all(sum(fit.weights) == pytest.approx(1) for fit in fits)


@pytest.mark.parametrize("multistep", [False, True], ids=["euler", "adams"])
@pytest.mark.parametrize(("guidance", "factor"), [(1.0, 3), (6.0, 2)])
@pytest.mark.parametrize(("steps", "shift"), SETTINGS)
def test_on_gaussian_data_the_weights_end_several_times_nearer_than_order_2(steps, shift, guidance, factor, multistep):
    timeline = timeline_of(steps, shift, guidance)
    timeline = adams(timeline) if multistep else timeline
    chosen = prior_steps(timeline, max(5, round(steps / 2)))
    assert factor * drift(timeline, chosen, fitted(timeline, chosen)) < drift(timeline, chosen, Extrapolation(2))


@pytest.mark.parametrize("shift", [1.0, 3.0, 8.0])
def test_with_its_weights_its_steps_are_nearer_than_even_ones(shift):
    timeline = timeline_of(28, shift)
    chosen, even = (drift(timeline, s, fitted(timeline, s)) for s in (prior_steps(timeline, 12), evenly(28, 12)))
    assert chosen < even < drift(timeline, evenly(28, 12), Extrapolation(2))


@pytest.mark.parametrize("guidance", [1.0, 6.0])
@pytest.mark.parametrize("shift", [1.0, 3.0, 8.0])
def test_the_drift_falls_as_more_steps_are_computed(shift, guidance):
    timeline = timeline_of(50, shift, guidance)
    plans = [prior_steps(timeline, count) for count in (8, 12, 17, 25, 38)]
    found = [drift(timeline, steps, fitted(timeline, steps)) for steps in plans]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.1 * found[0]


def test_a_sampler_whose_response_is_not_known_is_taken_for_euler():
    timeline = timeline_of(20, 3.0)
    known = replace(timeline, response=Response.of_euler(timeline.sigmas))
    steps = prior_steps(timeline, 9)
    assert prior_steps(known, 9) == steps
    assert prior_fits(known, steps) == prior_fits(timeline, steps)
    assert prior_fits(adams(timeline), steps) != prior_fits(timeline, steps)


def test_guidance_changes_the_weights_and_so_does_the_response_that_they_steer_by():
    timeline = timeline_of(20, 3.0)
    steps = prior_steps(timeline, 9)
    assert prior_fits(replace(timeline, guidance=6.0), steps) != prior_fits(timeline, steps)
    own, other = (drift(adams(timeline), steps, fitted(t, steps)) for t in (adams(timeline), timeline))
    assert own < other


def test_without_a_signal_noise_is_only_added():
    sigmas = tuple(float(s) for s in np.geomspace(14.6, 0.03, 20)) + (0.0,)
    timeline = Timeline(sigmas, sigmas[:-1], slopes=True)
    steps = prior_steps(timeline, 10)
    assert (len(steps), steps[0], steps[-1]) == (10, 0, 19)
    assert prior_fits(timeline, steps) == prior_fits(replace(timeline, signal=(1.0,) * 20), steps)


def test_a_mode_is_the_exact_slope_of_its_gaussian():
    """Euler with ever smaller steps leads a mode of variance l to `sqrt(l)` of its start."""
    modes, steps = Modes.of(2.0, 1.0), 20_000
    state, sigmas = modes.start(0.0, 1.0), np.linspace(1, 0, steps + 1)
    for sigma, after in zip(sigmas, sigmas[1:], strict=False):
        state = state + (after - sigma) * modes.output(state, 1 - sigma, sigma, 1.0)
    np.testing.assert_allclose(state, np.sqrt(modes.variance) * modes.size, rtol=2e-3)


def test_the_modes_have_the_energy_of_the_data_and_the_prompt_decides_some_of_them():
    for modes in (FOR_STEPS, FOR_WEIGHTS):
        clean = modes.start(1.0, 0.0)  # without noise: all of the data
        shares = modes.size**2
        assert all(np.diff(Modes.of(3.0, 1.0).variance) < 0)
        assert (clean > 0).all()
        assert shares.sum() == pytest.approx(1.0 if modes is FOR_STEPS else 2.0)
    assert not FOR_STEPS.mean.any()
    assert 0 < np.count_nonzero(FOR_WEIGHTS.mean) < len(FOR_WEIGHTS.mean)
    guided = FOR_WEIGHTS.mean > 0
    state = FOR_WEIGHTS.start(0.5, 0.5)
    moved = FOR_WEIGHTS.output(state, 0.5, 0.5, 6.0) != FOR_WEIGHTS.output(state, 0.5, 0.5, 1.0)
    np.testing.assert_array_equal(moved, guided)

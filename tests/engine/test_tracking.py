"""Fitted weights: what a calibration run finds is what a run with the plan does, and it leads back to the recorded
run."""

import pytest
import torch

from cache_core import OUTPUT, Extrapolation, Plan, Steps, Timeline
from cache_core.calibrate import Normal, Recorder, Recording, Tracker, best_steps
from cache_core.calibrate.recording import PARTLY, sampled_elements
from cache_core.saved_plan.saved_plan import Origin, model_plan
from lab.sample import flow_sigmas, load, noise_of, sample

STEPS, COUNT, GUIDANCE = 24, 8, 3.0
SIGMAS = flow_sigmas(STEPS)
TIMELINE = Timeline.flow(SIGMAS)


@pytest.fixture(scope="module")
def model():
    return load()[0]


def drawn(seeds):
    return noise_of(seeds), torch.tensor([seed % 8 for seed in seeds])


def recorded(model, seeds, guidance=GUIDANCE):
    recorder = Recorder(TIMELINE, (1.0,) * STEPS)
    samples, _ = sample(model, *drawn(seeds), SIGMAS, guidance=guidance, watch=recorder)
    return samples, recorder.recording()


def tracked(model, seeds, recording, steps, guidance=GUIDANCE, **how):
    tracker = Tracker(recording, steps, **how)
    samples, _ = sample(
        model, *drawn(seeds), SIGMAS, (Plan(Steps(OUTPUT, steps), Extrapolation(2)),), guidance, watch=tracker
    )
    return samples, tracker


def apart(a, b):
    return float((a - b).norm() / b.norm())


@pytest.fixture(scope="module")
def lesson(model):
    samples, recording = recorded(model, [100])
    return samples, recording, best_steps(recording.gram().numpy(), recording.nodes, recording.weights, COUNT)


def plan_of(steps, tracker):
    return model_plan(steps, SIGMAS, Origin("Flux", samples=1), tuple(tracker.fits.values())).plan(TIMELINE, "x")


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_run_with_the_plan_repeats_the_run_that_was_fitted(model, lesson, guidance):
    """But for rounding: one corrects the guided output, the other each conditioning."""
    _, recording = recorded(model, [100], guidance)
    fitted, tracker = tracked(model, [100], recording, lesson[2], guidance)
    again, report = sample(model, *drawn([100]), SIGMAS, (plan_of(lesson[2], tracker),), guidance)
    assert apart(again, fitted) < 1e-5
    assert report.computed == COUNT


def test_corrected_outputs_are_nearer_than_extrapolation_on_the_same_steps_for_other_seeds_too(model, lesson):
    _, tracker = tracked(model, [100], lesson[1], lesson[2])
    lagrange = Plan(Steps(OUTPUT, lesson[2]), Extrapolation(2))
    for seeds in ([100], [1, 2, 3]):
        plain, _ = sample(model, *drawn(seeds), SIGMAS, guidance=GUIDANCE)
        near, far = (
            apart(sample(model, *drawn(seeds), SIGMAS, (p,), GUIDANCE)[0], plain)
            for p in (plan_of(lesson[2], tracker), lagrange)
        )
        assert near < far


def test_every_output_from_the_second_computed_one_on_is_fitted_with_weights_that_sum_to_one(model, lesson):
    _, tracker = tracked(model, [100], lesson[1], lesson[2])
    assert tuple(tracker.fits) == tuple(range(lesson[2][1], STEPS))
    for step, fit in tracker.fits.items():
        assert fit.at == SIGMAS[step]
        assert fit.nodes[0] == SIGMAS[max(s for s in lesson[2] if s <= step)]
        assert sum(fit.weights) == pytest.approx(1)


def test_predictions_can_be_left_as_they_are(model, lesson):
    tracker = tracked(model, [100], lesson[1], lesson[2], predictions=False)[1]
    assert tuple(tracker.fits) == lesson[2][1:]
    assert all(fit.corrects for fit in tracker.fits.values())


def test_fitted_predictions_bring_the_sample_nearer_than_corrections_alone_for_other_seeds_too(model, lesson):
    _, recording, steps = lesson
    plans = [plan_of(steps, tracked(model, [100], recording, steps, predictions=fitted)[1]) for fitted in (True, False)]
    for seeds in ([100], [1, 2, 3]):
        plain, _ = sample(model, *drawn(seeds), SIGMAS, guidance=GUIDANCE)
        near, far = (apart(sample(model, *drawn(seeds), SIGMAS, (plan,), GUIDANCE)[0], plain) for plan in plans)
        assert near < far


def test_with_every_step_computed_there_is_nothing_to_correct(model, lesson):
    samples, tracker = tracked(model, [100], lesson[1], tuple(range(STEPS)))
    assert apart(samples, lesson[0]) < 1e-5
    assert all(
        fit.weights == pytest.approx((1, 0, 0, 0)[: len(fit.weights)], abs=1e-3) for fit in tracker.fits.values()
    )


def test_a_state_that_went_astray_in_the_span_of_the_outputs_is_brought_back():
    """Outputs that are quadratic in sigma, a state that is off by a little of each of them: the third computed
    output is corrected for all of it."""
    field = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    outputs = torch.stack([field[0] + sigma * field[1] + sigma**2 * field[2] for sigma in SIGMAS[:-1]])
    states = euler_states(outputs)
    recording = Recording.of(TIMELINE, (1.0,) * STEPS, states, outputs)
    tracker = Tracker(recording, (0, 3, 6))
    astray = torch.zeros(50)
    for step in range(7):
        astray = 0.01 * (outputs[0] - outputs[3]) if step == 6 else torch.zeros(50)
        tracker.begin(SIGMAS[step], states[step] + astray)
        corrected = tracker.end(outputs[step])
    wanted = outputs[6] - astray / recording.weights[6]
    assert apart(corrected, wanted) < 0.05 * apart(outputs[6], wanted)


def euler_states(outputs):
    """The states that lead to these outputs by Euler's rule, from zero on."""
    moved = torch.tensor(SIGMAS).diff()[:-1].unsqueeze(1) * outputs[:-1]
    return torch.cat([torch.zeros(1, outputs.shape[1]), moved.cumsum(0)])


def test_a_sampler_that_uses_outputs_again_is_steered_a_part_of_the_way():
    """Two-step Adams-Bashforth: 3/2 of an output goes into one step and -1/2 of it into the next, so a whole
    correction would swing."""
    outputs = torch.randn(STEPS, 50, generator=torch.Generator().manual_seed(0)).cumsum(0)
    mixed = torch.cat([outputs[:1], 1.5 * outputs[1:] - 0.5 * outputs[:-1]])
    euler, adams = (
        Recording.of(TIMELINE, (1.0,) * STEPS, euler_states(moving), outputs) for moving in (outputs, mixed)
    )
    assert euler.unexplained < 1e-6
    assert euler.steering == 1
    assert adams.unexplained > 0.01
    assert adams.steering == PARTLY < 1
    for recording in (euler, adams):
        astray = recording.states[5] + 1.0
        whole = recording.target(5, astray) - recording.outputs[5]
        assert torch.allclose(whole, torch.full((50,), -1 / recording.weights[5]), rtol=1e-3)
        part = recording.target(5, astray, recording.steering) - recording.outputs[5]
        assert torch.allclose(part, recording.steering * whole, rtol=1e-3)


def test_samples_are_added_up_in_the_normal_equations(model, lesson):
    """Two recordings, one after the other, give weights between those of each alone; the same one twice gives nearly
    its own."""
    normal, first = Normal(), tracked(model, [100], lesson[1], lesson[2])[1]
    tracked(model, [100], lesson[1], lesson[2], normal=normal)
    _, second = tracked(model, [100], lesson[1], lesson[2], normal=normal)
    for fit in first.fits.values():
        assert second.fits[SIGMAS.index(fit.at)].weights == pytest.approx(fit.weights, rel=1e-6, abs=1e-6)


def test_a_run_that_leaves_a_step_out_or_looks_between_two_is_no_recording():
    for sigmas in (SIGMAS[:-2], (*SIGMAS[:-1], 0.5 * (SIGMAS[3] + SIGMAS[4]))):
        recorder = Recorder(TIMELINE, (1.0,) * STEPS)
        for sigma in sigmas:
            recorder.begin(sigma, torch.zeros(4))
            recorder.end(torch.zeros(4))
        assert recorder.recording() is None


def test_a_recording_of_many_steps_takes_no_more_and_fits_are_made_to_what_it_has(monkeypatch):
    # Was wrong once (recording.Recorder): each step kept a megabyte, so learning from 1000 steps took gigabytes.
    monkeypatch.setattr("cache_core.calibrate.recording.MOST_VALUES", 50 * STEPS)
    draw = torch.Generator().manual_seed(0)
    recorder, moved = Recorder(TIMELINE, (1.0,) * STEPS), torch.randn(2, 300, generator=draw)
    for step, sigma in enumerate(SIGMAS[:-1]):
        recorder.begin(sigma, moved[0] * sigma)
        recorder.end(moved[0] + step**2 * moved[1])
    recording = recorder.recording()
    assert recording.states.shape == recording.outputs.shape == (STEPS, 50)
    tracker = Tracker(recording, (0, 1, 2, 5))
    for step, sigma in enumerate(SIGMAS[:6]):
        tracker.begin(sigma, moved[0] * sigma)
        fitted = tracker.end(moved[0] + (step if step in (0, 1, 2, 5) else 2) ** 2 * moved[1])
    assert apart(fitted, moved[0] + 25 * moved[1]) < 0.05


def test_sampled_elements_are_the_same_for_each_tensor_of_a_size():
    value = torch.arange(1000.0).reshape(10, 100)
    assert torch.equal(sampled_elements(value), value.flatten())
    assert torch.equal(sampled_elements(value, 10), sampled_elements(value.clone(), 10))
    assert torch.equal(sampled_elements(2 * value, 10), 2 * sampled_elements(value, 10))
    kept = sampled_elements(value)
    value.zero_()
    assert kept.sum() > 0

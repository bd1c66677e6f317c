"""Fitted weights: what a calibration run finds is what a run with the plan does, and it leads back to the recorded run."""

import pytest
import torch

from cache_core import OUTPUT, Plan, Predictor, Steps, Timeline
from cache_core.cache_plan import Origin, model_plan
from cache_core.calibrate import Normal, Recorder, Tracker, best_steps
from cache_core.calibrate.recording import probe
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
    tracker = Tracker(recording, **how)
    samples, _ = sample(model, *drawn(seeds), SIGMAS, (Plan(Steps(OUTPUT, steps), tracker),), guidance, watch=tracker)
    return samples, tracker


def apart(a, b):
    return float((a - b).norm() / b.norm())


@pytest.fixture(scope="module")
def lesson(model):
    samples, recording = recorded(model, [100])
    return samples, recording, best_steps(recording.gram().numpy(), recording.nodes, recording.weights, COUNT)


@pytest.mark.parametrize("gain", [0.0, 0.3])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_a_run_with_the_plan_repeats_the_run_that_was_fitted(model, lesson, gain, guidance):
    _, recording = recorded(model, [100], guidance)
    fitted, tracker = tracked(model, [100], recording, lesson[2], guidance, gain=gain)
    plan = model_plan(lesson[2], SIGMAS, Origin("Flux"), tuple(tracker.fits.values()))
    again, report = sample(model, *drawn([100]), SIGMAS, (plan.plan(TIMELINE, "x"),), guidance)
    assert torch.equal(again, fitted)
    assert report.computed == COUNT


def test_fitted_weights_are_nearer_than_extrapolation_on_the_same_steps_for_other_seeds_too(model, lesson):
    _, tracker = tracked(model, [100], lesson[1], lesson[2])
    plan = model_plan(lesson[2], SIGMAS, Origin("Flux"), tuple(tracker.fits.values())).plan(TIMELINE, "x")
    lagrange = Plan(Steps(OUTPUT, lesson[2]), Predictor(2, gain_limit=3.5))
    for seeds in ([100], [1, 2, 3]):
        plain, _ = sample(model, *drawn(seeds), SIGMAS, guidance=GUIDANCE)
        near, far = (apart(sample(model, *drawn(seeds), SIGMAS, (p,), GUIDANCE)[0], plain) for p in (plan, lagrange))
        assert near < far


def test_weights_of_a_prediction_sum_to_one_and_those_of_a_correction_too(model, lesson):
    _, tracker = tracked(model, [100], lesson[1], lesson[2])
    assert len(tracker.fits) == STEPS - 1 - sum(b - a == 1 for a, b in zip(lesson[2], lesson[2][1:], strict=False))
    assert all(sum(fit.weights) == pytest.approx(1) for fit in tracker.fits.values())


def test_with_every_step_computed_nothing_is_fitted_and_nothing_changes(model, lesson):
    samples, tracker = tracked(model, [100], lesson[1], tuple(range(STEPS)))
    assert tracker.fits == {}
    assert torch.equal(samples, lesson[0])


def test_an_output_in_the_span_of_the_computed_ones_is_found_exactly():
    """Outputs that are quadratic in sigma, states that are where they were recorded: three computed ones tell the fourth."""
    field = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    recorder = Recorder(TIMELINE, (1.0,) * STEPS)
    for sigma in SIGMAS[:-1]:
        recorder.begin(sigma, torch.zeros(50))
        recorder.end(field[0] + sigma * field[1] + sigma**2 * field[2])
    tracker = Tracker(recorder.recording())
    for sigma in SIGMAS[:3]:
        tracker.begin(sigma, torch.zeros(50))
        tracker.end(recorder.recording().outputs[SIGMAS.index(sigma)])
    tracker.begin(SIGMAS[3], torch.zeros(50))
    weights = torch.tensor(tracker.weights(SIGMAS[2::-1], SIGMAS[3]))
    outputs = recorder.recording().outputs
    assert apart(weights @ outputs[[2, 1, 0]], outputs[3]) < 0.01  # but for the ridge


def test_samples_are_added_up_in_the_normal_equations(model, lesson):
    """Two recordings, one after the other, give weights between those of each alone; the same one twice gives nearly its own."""
    normal, first = Normal(), tracked(model, [100], lesson[1], lesson[2])[1]
    tracked(model, [100], lesson[1], lesson[2], normal=normal)
    _, second = tracked(model, [100], lesson[1], lesson[2], normal=normal)
    for fit in first.fits.values():
        assert second.fits[fit.at].weights == pytest.approx(fit.weights, rel=1e-6, abs=1e-6)


def test_a_run_that_leaves_a_step_out_or_looks_between_two_is_no_recording():
    for sigmas in (SIGMAS[:-2], (*SIGMAS[:-1], 0.5 * (SIGMAS[3] + SIGMAS[4]))):
        recorder = Recorder(TIMELINE, (1.0,) * STEPS)
        for sigma in sigmas:
            recorder.begin(sigma, torch.zeros(4))
            recorder.end(torch.zeros(4))
        assert recorder.recording() is None


def test_a_probe_is_the_same_elements_for_each_tensor_of_a_size():
    value = torch.arange(1000.0).reshape(10, 100)
    assert torch.equal(probe(value), value.flatten())
    assert torch.equal(probe(value, 10), probe(value.clone(), 10))
    assert torch.equal(probe(2 * value, 10), 2 * probe(value, 10))
    kept = probe(value)
    value.zero_()
    assert kept.sum() > 0

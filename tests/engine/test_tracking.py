"""Fitted weights: what a calibration run finds is what a run with the plan does, and it leads back to the recorded
run."""

from itertools import pairwise

import pytest
import torch

from cache_core import MODULES, OUTPUT, Extrapolation, Plan, Steps, Timeline
from cache_core.calibrate import Recorder, Recording, Tracker, fit
from cache_core.calibrate.recording import sampled_elements
from cache_core.planning import Normal, best_steps
from cache_core.predictor import Fitted
from cache_core.saved_plan.saved_plan import Origin, model_plan
from lab.sample import flow_sigmas, load, noise_of, sample, timeline_of

STEPS, COUNT, GUIDANCE = 24, 8, 3.0
SIGMAS = flow_sigmas(STEPS)
TIMELINE = Timeline.flow(SIGMAS)


@pytest.fixture(scope="module")
def model():
    return load()[0]


def drawn(seeds):
    return noise_of(seeds), torch.tensor([seed % 8 for seed in seeds])


def recorded(model, seeds, guidance=GUIDANCE):
    recorder = Recorder(TIMELINE)
    samples, _ = sample(model, *drawn(seeds), SIGMAS, guidance=guidance, watch=recorder)
    return samples, recorder.recording()


def tracked(model, seeds, recording, steps, guidance=GUIDANCE, kinds=OUTPUT, **how):
    tracker = Tracker(recording, steps, **how)
    samples, _ = sample(model, *drawn(seeds), SIGMAS, (tracker.plan(kinds),), guidance, watch=tracker)
    return samples, tracker


def apart(a, b):
    return float((a - b).norm() / b.norm())


@pytest.fixture(scope="module")
def lesson(model):
    samples, recording = recorded(model, [100])
    return samples, recording, best_steps(recording.gram().numpy(), recording.nodes, recording.response.final, COUNT)


def plan_of(steps, tracker):
    return model_plan(steps, SIGMAS, Origin("Flux", samples=1), tracker.fits).plan(TIMELINE, "x")


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
    assert [own.at for own in tracker.fits] == list(SIGMAS[lesson[2][1] : STEPS])
    for step, own in enumerate(tracker.fits, lesson[2][1]):
        assert own.corrects == (step in lesson[2])
        assert own.nodes[0] == SIGMAS[max(s for s in lesson[2] if s <= step)]
        assert sum(own.weights) == pytest.approx(1)


def test_a_prediction_inside_the_model_has_the_weights_that_were_fitted_to_its_output(model, lesson):
    """They are fitted before it is made; a run with the plan finds the same."""
    _, recording, steps = lesson
    samples, tracker = tracked(model, [100], recording, steps, kinds=MODULES)
    assert tracker.plan(MODULES).merge
    assert not tracker.plan(OUTPUT).merge
    repeated = Plan(Steps(MODULES, steps), Fitted(tracker.fits), merge=True)
    again, _ = sample(model, *drawn([100]), SIGMAS, (repeated,), GUIDANCE)
    assert apart(again, samples) < 1e-5
    plain = Plan(Steps(MODULES, steps), Extrapolation(2), merge=True)
    assert apart(samples, lesson[0]) < apart(sample(model, *drawn([100]), SIGMAS, (plain,), GUIDANCE)[0], lesson[0])


def test_fits_to_several_recordings_are_those_of_one_after_the_other(model, lesson):
    recordings, normal = [lesson[1], recorded(model, [101])[1]], Normal()
    seeds = iter((100, 101))

    def one(plan, watch):
        return sample(model, *drawn([next(seeds)]), SIGMAS, (plan,), GUIDANCE, watch=watch)[0]

    fits, final = fit(one, recordings, OUTPUT, lesson[2])
    tracked(model, [100], recordings[0], lesson[2], normal=normal)
    samples, tracker = tracked(model, [101], recordings[1], lesson[2], normal=normal)
    assert fits == (tracker.fits,)
    assert torch.equal(final, samples)


def test_with_every_step_computed_there_is_nothing_to_correct(model, lesson):
    samples, tracker = tracked(model, [100], lesson[1], tuple(range(STEPS)))
    assert apart(samples, lesson[0]) < 1e-5
    assert all(own.weights == pytest.approx((1, 0, 0, 0)[: len(own.weights)], abs=1e-3) for own in tracker.fits)


def test_outputs_that_went_astray_in_the_span_of_others_are_made_up_for():
    """Outputs that are quadratic in sigma, and predictions that are off by a little of each of them: the third
    computed output is corrected for all that moved the state before it."""
    field = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    outputs = torch.stack([field[0] + sigma * field[1] + sigma**2 * field[2] for sigma in SIGMAS[:-1]])
    recording = Recording.of(TIMELINE, euler_states(outputs), outputs)
    tracker, moved, lost = Tracker(recording, (0, 3, 6)), torch.zeros(50), torch.zeros(50)
    for step, (sigma, after) in enumerate(pairwise(SIGMAS[:8])):
        astray = torch.zeros(50) if step in (0, 3, 6) else 0.2 * (outputs[0] - outputs[3])
        tracker.begin(sigma, recording.states[step])
        lost += (after - sigma) * astray
        moved += (after - sigma) * (tracker.end(outputs[step] + astray) - outputs[step])
    assert moved.norm() < 0.01 * lost.norm()


def euler_states(outputs):
    """The states that lead to these outputs by Euler's rule, from zero on."""
    moved = torch.tensor(SIGMAS).diff()[:-1].unsqueeze(1) * outputs[:-1]
    return torch.cat([torch.zeros(1, outputs.shape[1]), moved.cumsum(0)])


def test_a_sampler_whose_response_is_not_known_is_not_steered():
    """Two-step Adams-Bashforth, taken for Euler: 3/2 of an output goes into one step and -1/2 of it into the next, so
    corrections would swing."""
    outputs = torch.randn(STEPS, 50, generator=torch.Generator().manual_seed(0)).cumsum(0)
    mixed = torch.cat([outputs[:1], 1.5 * outputs[1:] - 0.5 * outputs[:-1]])
    euler, adams = (Recording.of(TIMELINE, euler_states(moving), outputs) for moving in (outputs, mixed))
    assert euler.unexplained < 1e-6
    assert euler.steering == 1
    assert adams.unexplained > 0.01
    assert adams.steering == 0


def test_a_recording_is_explained_by_the_response_of_its_own_sampler(model):
    for solver in ("euler", "res_multistep", "uni_pc"):
        own = timeline_of(SIGMAS, GUIDANCE, solver)
        recorder = Recorder(own)
        sample(model, *drawn([100]), SIGMAS, guidance=GUIDANCE, watch=recorder, solver=solver)
        recording = recorder.recording()
        assert recording.response == own.responds
        assert recording.unexplained < 1e-4
        assert recording.steering == 1
        if solver != "euler":
            assert Recording.of(TIMELINE, recording.states, recording.outputs).steering == 0


def test_samples_are_added_up_in_the_normal_equations(model, lesson):
    """Two recordings, one after the other, give weights between those of each alone; the same one twice gives nearly
    its own."""
    normal, first = Normal(), tracked(model, [100], lesson[1], lesson[2])[1]
    tracked(model, [100], lesson[1], lesson[2], normal=normal)
    _, second = tracked(model, [100], lesson[1], lesson[2], normal=normal)
    for own, added in zip(first.fits, second.fits, strict=True):
        assert added.weights == pytest.approx(own.weights, rel=1e-6, abs=1e-6)


def test_a_run_that_leaves_a_step_out_or_looks_between_two_is_no_recording():
    for sigmas in (SIGMAS[:-2], (*SIGMAS[:-1], 0.5 * (SIGMAS[3] + SIGMAS[4]))):
        recorder = Recorder(TIMELINE)
        for sigma in sigmas:
            recorder.begin(sigma, torch.zeros(4))
            recorder.end(torch.zeros(4))
        assert recorder.recording() is None


def test_a_recording_of_many_steps_takes_no_more_and_fits_are_made_to_what_it_has(monkeypatch):
    # Was wrong once (recording.Recorder): each step kept a megabyte, so learning from 1000 steps took gigabytes.
    monkeypatch.setattr("cache_core.calibrate.recording.MOST_VALUES", 50 * STEPS)
    draw = torch.Generator().manual_seed(0)
    recorder, moved = Recorder(TIMELINE), torch.randn(2, 300, generator=draw)
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

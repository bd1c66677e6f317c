"""A calibration of the model's output as a whole, on the lab's models: deterministic, planned and fitted for all of its
pictures, nearer than even steps on others."""

from dataclasses import replace
from datetime import date
from unittest import mock

import pytest
import torch
from lessons import REQUEST, STEPS, apart, calibrated, drift, even

from cache_core import OUTPUT, Extrapolation, Plan, Steps, Timeline, evenly
from cache_core.calibrate import Ledger, Recorder, Request, Tracker, steps_for
from cache_core.calibrate.fit import Normal
from cache_core.calibrate.learn import recorded
from cache_core.planning import best_steps
from cache_core.planning.steps import first_gap
from cache_core.predictor import GAIN_LIMIT
from cache_core.saved_plan.saved_plan import Origin, model_plan
from lab.bench import LabBench
from lab.families import FLUX, HUNYUAN_VIDEO


def test_the_same_request_gives_the_same_plan_on_any_day(bench, found):
    with mock.patch("cache_core.calibrate.learn.date") as clock:
        clock.today.return_value = date(2001, 1, 1)
        again = calibrated(bench)
    assert (again.plan, again.drifts, again.spent) == (found.plan, found.drifts, found.spent)
    assert again.plan.origin.made == "2001-01-01" != found.plan.origin.made


@pytest.mark.parametrize("speedup", [2, 3])
def test_the_plan_is_nearer_than_even_steps_on_samples_it_was_not_fitted_to(bench, speedup):
    plan = calibrated(bench, replace(REQUEST, speedup=speedup)).plan
    count = len(plan.table.computed(*OUTPUT))
    assert count == round(STEPS / speedup)
    assert drift(bench, plan.plan(bench.timeline, "plan")) < 0.8 * drift(bench, even(count))


def test_eight_pictures_make_a_better_plan_than_one_for_other_seeds(bench):
    one, eight = (calibrated(bench, Request(2, samples=samples)).plan for samples in (1, 8))
    assert (one.origin.samples, eight.origin.samples) == (1, 8)
    near, far = (drift(bench, plan.plan(bench.timeline, "plan"), range(8)) for plan in (eight, one))
    assert near < 0.9 * far


def test_the_drift_of_the_state_is_none_until_the_first_gap(bench):
    best = calibrated(bench, Request(3, samples=1, budget=2))
    computed = best.plan.table.computed(*OUTPUT)
    skipped = next(step for step in range(STEPS) if step not in computed)
    assert len(best.drifts) == STEPS
    assert set(best.drifts[: skipped + 1]) == {0}
    assert all(drift > 0 for drift in best.drifts[skipped + 1 :])


def test_schedules_are_planned_for_what_errors_grow_to_and_for_fitted_predictions(bench):
    recording = recorded(Ledger(bench, 1), 0).recording
    gram, first = recording.gram().numpy(), first_gap(STEPS, fits=True)
    asked = [(n, gram, recording.nodes, recording.response.final) for n in range(4, STEPS - 2)]
    signal = bench.timeline.signal
    assert any(steps_for([recording], n, signal) != best_steps(*r, n, first, fits=True) for n, *r in asked)
    assert any(best_steps(*r, n, first, fits=True) != best_steps(*r, n, first) for n, *r in asked)


def test_the_steps_are_planned_for_all_pictures_in_sum(bench):
    recordings = [recorded(Ledger(bench, 9), number).recording for number in range(3)]
    signal, counts = bench.timeline.signal, range(5, STEPS - 2)
    alone = [[steps_for([recording], n, signal) for recording in recordings] for n in counts]
    assert any(steps_for(recordings, n, signal) != own[0] for n, own in zip(counts, alone, strict=True))
    assert [steps_for(recordings[:1] * 2, n, signal) for n in counts] == [own[0] for own in alone]


def test_the_drift_of_a_plan_is_that_of_the_last_picture(bench, found):
    last = REQUEST.samples - 1
    cached, plain = bench.sample(last, (found.plan.plan(bench.timeline, "plan"),)), bench.sample(last)
    assert found.plan.drift == pytest.approx(apart(cached, plain), rel=1e-3)


def test_the_weights_are_fitted_to_all_samples(bench, found):
    steps, normal = found.plan.table.computed(*OUTPUT), Normal()
    for number in range(REQUEST.samples):
        recorder = Recorder(bench.timeline)
        bench.sample(number, watch=recorder)
        tracker = Tracker(recorder.recording(), steps, normal)
        bench.sample(number, (tracker.plan(OUTPUT),), tracker)
    assert found.plan.fits == tracker.fits


def test_a_saved_plan_without_weights_runs_as_the_node_s_widgets_do(bench):
    shifted = LabBench(replace(FLUX, shift=7.0), STEPS, model=bench.model)
    steps = evenly(STEPS, 4)

    def sampled(plan):
        return shifted.sample(0, (plan,))

    saved = sampled(model_plan(steps, shifted.timeline.sigmas, Origin("", samples=1)).plan(shifted.timeline, "even"))
    assert torch.equal(saved, sampled(Plan(Steps(OUTPUT, steps), Extrapolation(2, gain_limit=GAIN_LIMIT))))
    assert not torch.equal(saved, sampled(Plan(Steps(OUTPUT, steps), Extrapolation(2))))


def test_video_is_calibrated_like_pictures():
    bench = LabBench(HUNYUAN_VIDEO, 12)
    found = calibrated(bench, Request(2, samples=1, budget=3))
    assert found.plan.sigmas == Timeline.flow(bench.sigmas).sigmas
    cached, plain = bench.sample(0, (Plan(Steps(OUTPUT, evenly(12, 6)), Extrapolation(2)),)), bench.sample(0)
    assert found.plan.drift < apart(cached, plain)

"""A calibration as a whole, on the lab's models: it is deterministic, keeps within its budget and never ends below
what it tried."""

from dataclasses import replace
from datetime import date
from unittest import mock

import pytest
import torch

from cache_core import OUTPUT, ConfigError, Extrapolation, Plan, Steps, Timeline, evenly
from cache_core.calibrate import Allowance, Memo, Normal, Recorder, Request, Tracker, calibrate, growth, steps_from
from cache_core.predictor import GAIN_LIMIT
from cache_core.saved_plan.saved_plan import Origin, model_plan
from cache_core.show.chart import Panel, Strip, picture
from lab.bench import LabBench
from lab.families import FLUX, HUNYUAN_VIDEO
from lab.sample import load

STEPS = 16
REQUEST = Request(3, samples=2, budget=6)


@pytest.fixture(scope="module")
def bench():
    return LabBench(FLUX, STEPS, model=load(FLUX)[0])


class Counting:
    """A bench that counts evaluations of its model."""

    def __init__(self, bench):
        self.bench, self.evaluations = bench, 0
        self.timeline, self.scale, self.signal = bench.timeline, bench.scale, bench.signal

    def sample(self, *args, **kwargs):
        handle = self.bench.model.register_forward_pre_hook(
            lambda *_: setattr(self, "evaluations", self.evaluations + 1)
        )
        try:
            return self.bench.sample(*args, **kwargs)
        finally:
            handle.remove()


def test_the_same_request_gives_the_same_plan_on_any_day_and_another_seed_of_the_refinement_may_not(bench):
    with mock.patch("cache_core.calibrate.ab.date") as clock:  # every call is on another day
        clock.today.side_effect = (date(2026, 1, day) for day in range(1, 32))
        requests = (Request(3, samples=2, budget=8, seed=seed) for seed in (0, 0, 1))
        first, again, other = (calibrate(bench, Origin("Flux"), request) for request in requests)
    assert first.plan == again.plan
    assert first.plan.origin.made != again.plan.origin.made
    assert [attempt.steps for attempt in first.attempts] != [attempt.steps for attempt in other.attempts]


def test_it_costs_what_it_says_and_no_more_than_allowed(bench):
    counted, told = Counting(bench), []
    allowance = Allowance(REQUEST.budget, lambda share, doing: told.append(share))
    found = calibrate(counted, Origin("Flux"), REQUEST, allowance=allowance)
    assert counted.evaluations == pytest.approx(STEPS * found.spent)
    assert found.spent <= REQUEST.budget
    assert told == sorted(told)
    assert told[-1] == pytest.approx(found.spent / REQUEST.budget)


def test_the_plan_is_the_best_of_all_attempts_and_each_better_one_was_kept_when_it_was_found(bench):
    kept = []
    found = calibrate(bench, Origin("Flux"), REQUEST, keep=kept.append)
    assert found.plan.drift == min(attempt.drift for attempt in found.attempts)
    assert kept[-1] == found.plan
    assert [plan.drift for plan in kept] == sorted((plan.drift for plan in kept), reverse=True)
    assert {"even, order 2", "planned"} <= {attempt.name for attempt in found.attempts}


def test_the_drift_of_the_state_is_none_until_the_first_gap(bench):
    best = calibrate(bench, Origin("Flux"), Request(3, samples=1, budget=2)).best
    skipped = next(step for step in range(STEPS) if step not in best.steps)
    assert set(best.drifts[: skipped + 1]) == {0}
    assert all(drift > 0 for drift in best.drifts[skipped + 1 :])


@pytest.mark.parametrize("part", ["planned", "grown", "fitted", "between", "refined", "refitted"])
def test_each_part_of_the_method_can_be_switched_off(bench, part):
    request, off = Request(3, samples=2, budget=8), {part: False}
    whole, found = calibrate(bench, Origin("Flux"), request), calibrate(bench, Origin("Flux"), replace(request, **off))
    steps = [
        {attempt.name.removesuffix(", order 2"): attempt.steps for attempt in each.attempts} for each in (whole, found)
    ]
    assert ("planned" in steps[1]) == off.get("planned", True)
    assert "refined" not in off or steps[1]["planned"] == steps[0]["planned"]
    assert ("refined" in steps[1]) == off.get("refined", True)
    assert bool(found.plan.fits) == off.get("fitted", True)
    assert (found.best in found.attempts) == (not off.get("refitted", True) or not off.get("fitted", True))
    assert any(not fit.corrects for fit in found.plan.fits) == (off.get("fitted", True) and off.get("between", True))


@pytest.mark.parametrize(("grown", "fits"), [(False, True), (True, False)])
def test_schedules_are_planned_for_what_errors_grow_to_and_for_fitted_predictions(bench, grown, fits):
    recording = calibrate(bench, Origin("Flux"), Request(3, samples=1, budget=2)).recording
    growing = growth(bench.signal)
    counts = range(4, STEPS - 2)
    assert any(
        steps_from([recording], n, growing) != steps_from([recording], n, growing if grown else None, fits)
        for n in counts
    )


def test_the_drift_of_a_plan_is_that_of_a_sample_it_was_not_fitted_to(bench):
    found = calibrate(bench, Origin("Flux"), Request(3, samples=2, budget=6))
    judged = min(found.attempts, key=lambda attempt: attempt.drift)
    plan = model_plan(judged.steps, bench.timeline.sigmas, Origin(""), judged.fits)
    cached, plain = bench.sample(1, (plan.plan(bench.timeline, "plan"),)), bench.sample(1)
    assert found.plan.drift == judged.drift == pytest.approx(float((cached - plain).norm() / plain.norm()), rel=1e-3)


def test_the_weights_of_the_chosen_schedule_are_fitted_to_all_samples(bench):
    found, normal = calibrate(bench, Origin("Flux"), REQUEST), Normal()
    for number in range(REQUEST.samples):
        recorder = Recorder(bench.timeline, bench.scale)
        bench.sample(number, watch=recorder)
        tracker = Tracker(recorder.recording(), found.best.steps, normal)
        bench.sample(number, (Plan(Steps(OUTPUT, found.best.steps), Extrapolation(2)),), tracker)
    assert found.plan.fits == tuple(tracker.fits.values())
    assert found.plan.fits != min(found.attempts, key=lambda attempt: attempt.drift).fits


def test_even_steps_are_judged_as_the_node_runs_them(bench):
    shifted = LabBench(replace(FLUX, shift=7.0), STEPS, model=bench.model)
    even = evenly(STEPS, 4)

    def sampled(plan):
        return shifted.sample(0, (plan,))

    judged = sampled(model_plan(even, shifted.timeline.sigmas, Origin("", samples=1)).plan(shifted.timeline, "even"))
    assert torch.equal(judged, sampled(Plan(Steps(OUTPUT, even), Extrapolation(2, gain_limit=GAIN_LIMIT))))
    assert not torch.equal(judged, sampled(Plan(Steps(OUTPUT, even), Extrapolation(2))))


def test_with_one_sample_the_schedule_is_not_refined_because_that_sample_would_be_learned_by_heart(bench):
    found = calibrate(bench, Origin("Flux"), Request(3, samples=1, budget=8))
    assert [attempt.name for attempt in found.attempts] == ["planned", "even, order 2"]


def test_a_large_budget_tries_each_planned_schedule_once_before_it_refines(bench):
    tried = calibrate(bench, Origin("Flux"), Request(2.7, samples=2, budget=14)).attempts
    names = [attempt.name for attempt in tried]
    planned = [attempt.steps for attempt in tried if attempt.name.startswith("planned")]
    assert {"planned, more early", "planned, less early"} <= set(names)
    assert len(planned) == len(set(planned))
    assert names.index("refined") > names.index("dense early") > names.index("planned, less early")


def test_what_was_sampled_before_an_interruption_is_not_sampled_again(bench, tmp_path):
    undisturbed = calibrate(bench, Origin("Flux"), REQUEST)
    calibrate(bench, Origin("Flux"), REQUEST, Memo(tmp_path))
    counted = Counting(bench)
    assert calibrate(counted, Origin("Flux"), REQUEST, Memo(tmp_path)).plan == undisturbed.plan
    assert counted.evaluations == 0


def test_a_sampler_that_leaves_steps_out_is_refused(bench):
    class Skipping(Counting):
        def sample(self, number, plans=(), watch=None):
            watch.begin(self.timeline.sigmas[0], torch.zeros(4))
            watch.end(torch.zeros(4))
            return torch.zeros(1, 4)

    with pytest.raises(ConfigError, match="cannot be calibrated"):
        calibrate(Skipping(bench), Origin("Flux"), REQUEST)


def test_video_is_calibrated_like_pictures():
    found = calibrate(LabBench(HUNYUAN_VIDEO, 12), Origin("HunyuanVideo"), Request(2, samples=1, budget=3))
    assert found.plan.schedule.fits(Timeline.flow(LabBench(HUNYUAN_VIDEO, 12).sigmas))
    assert found.plan.drift < next(attempt.drift for attempt in found.attempts if attempt.name == "even, order 2")


def test_a_picture_shows_each_part_and_survives_values_that_cannot_be_drawn():
    strip = Strip("attention", ["computed", "reused", "predicted", "resting", None], boundary=2)
    wild = Panel("drift", {"a": [0.0, 1e-3, float("nan"), 1.0], "b": [0.0] * 4}, log=True)
    flat, empty = Panel("same", {"a": [2.0] * 4}), Panel("none", {})
    drawn = picture(["words", strip, wild, flat, empty])
    assert drawn.shape == (1, 16 + 20 + 78 + 3 * 280, 900, 3)
    assert drawn.dtype == torch.float32
    assert 0 <= float(drawn.min()) < float(drawn.max()) <= 1


def test_a_strip_draws_every_state_and_the_stage_boundary_differently():
    drawn = [
        picture([Strip("x", [state] * 3, boundary)])
        for state in ("computed", "reused", "predicted", "resting", None)
        for boundary in (None, 2)
    ]
    assert not [1 for i, a in enumerate(drawn) for b in drawn[:i] if torch.equal(a, b)]

"""The costs of a calibration: its budget, an interruption, a wanted drift, and refusals before anything is paid."""

import pytest
import torch
from lessons import STEPS, Counting, calibrated

from cache_core import OUTPUT, ConfigError, Timeline
from cache_core.calibrate import Ledger, Lesson, Request
from cache_core.calibrate.learn import recorded
from cache_core.saved_plan.saved_plan import Origin
from lab.bench import LabBench
from lab.families import FLUX
from lab.sample import load


@pytest.mark.parametrize("budget", [2, 6, 12])
def test_it_costs_what_it_says_and_no_more_than_allowed(bench, budget):
    counted, told = Counting(bench), []
    found = calibrated(counted, Request(3, samples=2, budget=budget), told=lambda share, doing: told.append(share))
    assert counted.evaluations == pytest.approx(STEPS * found.spent)
    assert found.spent <= budget
    assert told == sorted(told)
    assert told[-1] == pytest.approx(found.spent / budget)


def test_the_found_plan_is_kept(bench, found):
    kept = []
    assert calibrated(bench, keep=kept.append).plan == found.plan
    assert kept == [found.plan]


def test_plans_are_kept_on_the_way_to_a_drift_and_the_last_is_the_found_one(bench):
    kept = []
    found = calibrated(bench, Request(drift=0.05, samples=2, budget=20), keep=kept.append)
    assert len(kept) > 2
    assert kept[-1] == found.plan
    assert [plan.origin.samples for plan in kept] == [1] * (len(kept) - 1) + [2]


@pytest.mark.parametrize(("budget", "samples"), [(2, 1), (2.6, 1), (2.7, 2), (6, 4), (12, 8), (100, 8)])
def test_as_many_samples_are_recorded_as_the_budget_pays_with_their_fits(budget, samples):
    class Recordings(Exception):
        pass

    class Refusing:
        timeline, numbers = Timeline.even(50), []

        def sample(self, number, plans=(), watch=None):
            if plans:
                raise Recordings
            self.numbers.append(number)
            for sigma in self.timeline.sigmas[:-1]:
                watch.begin(sigma, torch.ones(4))
                watch.end(torch.ones(4) * sigma)
            return torch.ones(1, 4)

    bench = Refusing()
    with pytest.raises(Recordings):
        calibrated(bench, Request(3, samples=8, budget=budget))
    assert bench.numbers == list(range(samples))


def test_what_was_sampled_before_an_interruption_is_not_sampled_again(bench, found, tmp_path):
    calibrated(bench, folder=tmp_path)
    counted = Counting(bench)
    assert calibrated(counted, folder=tmp_path).plan == found.plan
    assert counted.evaluations == 0


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_an_interrupted_calibration_goes_on_where_it_was(bench, found, tmp_path, stop):
    """Two samples are recorded, then two are fitted to: the fits to both are one result."""
    first, second = Counting(bench, stop), Counting(bench)
    with pytest.raises(InterruptedError):
        calibrated(first, folder=tmp_path)
    assert first.finished == stop
    resumed = calibrated(second, folder=tmp_path)
    assert (resumed.plan, resumed.spent) == (found.plan, found.spent)
    assert second.finished == 4 - min(stop, 2)


def test_a_sampler_that_leaves_steps_out_is_refused(bench):
    class Skipping(Counting):
        def sample(self, number, plans=(), watch=None):
            watch.begin(self.timeline.sigmas[0], torch.zeros(4))
            watch.end(torch.zeros(4))
            return torch.zeros(1, 4)

    with pytest.raises(ConfigError, match="cannot be calibrated"):
        calibrated(Skipping(bench))


def test_a_plan_that_leads_a_sampler_astray_is_refused(bench):
    class Straying(Counting):
        def sample(self, number, plans=(), watch=None):
            latent = self.bench.sample(number, plans, watch)
            return latent * float("nan") if plans else latent

    with pytest.raises(ConfigError, match="leads this sampler astray, even with 5 of 16 steps"):
        calibrated(Straying(bench))


def test_a_speed_up_that_leaves_too_few_steps_is_refused_before_anything_is_sampled():
    # Was wrong once (output.calibrate_output): all sampling was paid first.
    counted = Counting(LabBench(FLUX, 36, model=load(FLUX)[0]))
    with pytest.raises(ConfigError, match="target_speedup 8 leaves 4 of 36 steps .* needs 5. Lower it to 7.2"):
        calibrated(counted, Request(8))
    assert counted.evaluations == 0


def test_a_drift_that_is_asked_for_is_kept_with_as_few_steps_as_it_allows(bench):
    wide, tight = (calibrated(bench, Request(drift=drift, samples=1, budget=8)).plan for drift in (0.3, 0.03))
    assert wide.drift <= 0.3
    assert tight.drift <= 0.03
    assert wide.speedup > tight.speedup


def test_no_fewer_steps_than_those_found_for_a_drift_keep_it(bench):
    found = calibrated(bench, Request(drift=0.05, samples=1, budget=20)).plan
    ledger = Ledger(bench, 20)
    lesson = Lesson(ledger, [recorded(ledger, 0)], OUTPUT, Origin(""), lambda plan: None)
    count = len(found.table.computed(*OUTPUT))
    assert lesson.learned(count).plan.drift == found.drift <= 0.05 < lesson.learned(count - 1).plan.drift


@pytest.mark.parametrize(("samples", "budget"), [(1, 2), (2, 4), (8, 6)])
def test_a_wanted_drift_costs_no_more_than_allowed_though_no_plan_keeps_it(bench, samples, budget):
    assert calibrated(bench, Request(drift=1e-6, samples=samples, budget=budget)).spent <= budget


def test_with_the_budget_as_it_is_fewer_steps_are_looked_for(bench):
    found = calibrated(bench, Request(drift=0.3))
    assert found.plan.speedup > 2

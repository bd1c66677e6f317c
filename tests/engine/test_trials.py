"""Trials: what reuse would give is seen at each step of an uncached run, which stays as it was."""

from time import perf_counter

import pytest
import torch

from cache_core import MODULES, ConfigError, Kind, Plan, Run, Steps, Timeline
from cache_core.calibrate import Recorder
from cache_core.calibrate.bands import band_grams
from cache_core.calibrate.trials import STATES, TrialRecorder, refreshes, trial_plan
from cache_core.hosts import match
from cache_core.mount import Mounts
from cache_core.schedule import Table, TableAt
from cache_core.store import Budget
from lab.sample import _guided, flow_sigmas, load, noise_of, sample

STEPS, GUIDANCE = 12, 3.0
SIGMAS = flow_sigmas(STEPS)
TIMELINE = Timeline.flow(SIGMAS)
DRAWN = (noise_of([7]), torch.tensor([3]))


class Outputs:
    """Keeps every output, tried and computed, by step."""

    def __init__(self):
        self.tried_at, self.computed = [], []

    def begin(self, sigma, state):
        self.tried_at.append({})

    def tried(self, kinds, output):
        self.tried_at[-1][kinds] = output

    def end(self, output):
        self.computed.append(output)
        return output


@pytest.fixture(scope="module")
def model():
    return load()[0]


def run(model, plans=(), watch=None, **how):
    return sample(model, *DRAWN, SIGMAS, plans, GUIDANCE, watch=watch, **how)


@pytest.mark.parametrize("split", [False, True])
def test_a_run_with_trials_samples_what_an_uncached_one_does(model, split):
    samples, report = run(model, (trial_plan(refreshes(STEPS, 2, 4)),), Outputs(), split=split)
    assert torch.equal(samples, run(model, split=split)[0])
    assert {row.state for row in report.rows} == {"compute"}
    assert report.shares == {"attention": 1.0, "mlp": 1.0}
    assert not report.demotions


@pytest.mark.parametrize("reused", STATES, ids=["attention", "mlp", "both"])
def test_what_is_tried_is_what_a_run_that_reuses_would_have_given(model, reused):
    """The last refresh before step 5 is step 2; a run that computes nothing at 3 and 4 reuses the same there."""
    seen = Outputs()
    run(model, (trial_plan((0, 2, 6)),), seen)
    rows = [MODULES] * 3 + [frozenset()] * 2 + [MODULES - reused] + [MODULES] * (STEPS - 6)
    plain, x = Outputs(), DRAWN[0]
    run(model, (), plain)
    reusing = Run((Plan(TableAt(Table(MODULES, tuple(rows)), SIGMAS)),), TIMELINE)
    mounts = Mounts(model, match(model), reusing)
    for step, sigma in enumerate(SIGMAS[:6]):
        reusing.begin(sigma)
        with torch.no_grad():
            output = _guided(model, x, DRAWN[1], sigma, GUIDANCE, False, reusing, mounts)
        x = (
            x + (SIGMAS[step + 1] - sigma) * plain.computed[step]
        )  # whatever is reused, the state stays the uncached one
    reusing.close()
    assert torch.equal(seen.tried_at[5][reused], output)
    assert not torch.equal(output, plain.computed[5])


def test_what_is_computed_at_each_refresh_is_tried_at_the_next_step_even_if_that_is_one_too(model):
    seen = Outputs()
    run(model, (trial_plan((0, 1, 2)),), seen)
    for step in range(1, STEPS):
        assert not any(torch.equal(tried, seen.computed[step]) for tried in seen.tried_at[step].values())


def test_nothing_is_tried_before_something_is_kept_and_everything_after(model):
    seen = Outputs()
    run(model, (trial_plan(refreshes(STEPS, 0)),), seen)
    assert seen.tried_at[0] == {}
    assert all(found.keys() == set(STATES) for found in seen.tried_at[1:])


def test_a_trial_is_not_counted_and_the_evaluation_goes_on_after_a_failure():
    tried = Run((trial_plan((0, 4)),), TIMELINE)
    own = tried.begin(SIGMAS[0])

    def failing():
        with tried.trial(MODULES):
            assert tried.evaluation is not own
            assert tried.evaluation.predicted == MODULES
            assert not tried.keeps(Kind.MLP)
            raise RuntimeError

    pytest.raises(RuntimeError, failing)
    assert tried.evaluation is own
    assert tried.keeps(Kind.MLP)
    assert len(tried.evaluations) == 1


def test_only_attention_and_mlp_that_are_cached_can_be_tried():
    for trials in ((frozenset(),), (frozenset({Kind.MODEL}),)):
        with pytest.raises(ConfigError, match="tries"):
            Plan(Steps(MODULES, (0,)), trials=trials)


def test_errors_and_bands_are_of_what_was_tried_less_what_was_computed(model):
    seen, recorder = Outputs(), TrialRecorder(TIMELINE, refreshes(STEPS, 3), perf_counter)
    calls = {
        name: lambda self, *a, _n=name: [getattr(w, _n)(*a) for w in (seen, recorder)][-1]
        for name in ("begin", "tried", "end")
    }
    run(model, (trial_plan(refreshes(STEPS, 3)),), type("Both", (), calls)())
    trials = recorder.trials()
    assert tuple(step - anchor for step, anchor in enumerate(trials.anchors)) == (0, 1, 2, 3, *range(1, 9))
    for step in range(1, STEPS):
        errors = torch.stack([(seen.tried_at[step][state] - seen.computed[step]).flatten() for state in STATES])
        for weights in ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.5, -1.0, 2.0)):
            plain = float((torch.tensor(weights) @ errors).norm() / seen.computed[step].norm())
            assert trials.relative(step, weights) == pytest.approx(plain, rel=1e-4)
    assert (trials.seconds[:, 3] > 0).all()


def test_where_nothing_fits_the_cache_the_trials_say_so(model):
    recorder = TrialRecorder(TIMELINE, (0, 4), perf_counter)
    run(model, (trial_plan((0, 4)),), recorder, budget=Budget(10, 10))
    with pytest.raises(Exception, match="fits the cache"):
        recorder.trials()


def test_bands_add_up_and_tell_slow_from_fast():
    values = torch.randn(3, 2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    flat = values.flatten(1).double()
    torch.testing.assert_close(band_grams(values).sum(0), flat @ flat.T, rtol=1e-4, atol=1e-2)
    slow = torch.cos(2 * torch.pi * torch.arange(16) / 16).expand(1, 1, 1, 16, 16)
    fast = torch.cos(torch.pi * torch.arange(16)).expand(1, 1, 1, 16, 16)
    assert band_grams(slow)[1].abs().max() < 1e-6 < band_grams(slow)[0].max()
    assert band_grams(fast)[0].abs().max() < 1e-6 < band_grams(fast)[1].max()
    assert band_grams(torch.randn(2, 1, 1, 40)).shape == (2, 2, 2)


def test_recorder_of_a_trial_run_is_the_one_of_an_uncached_run(model):
    recorder, plain = TrialRecorder(TIMELINE, (0, 4), perf_counter), Recorder(TIMELINE)
    run(model, (trial_plan((0, 4)),), recorder)
    run(model, (), plain)
    assert torch.equal(recorder.trials().recording.outputs, plain.recording().outputs)

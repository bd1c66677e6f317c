"""A FEB plan: within its compute, near the uncached run, no worse than a uniform table, the same each time it is
made."""

from datetime import date
from unittest import mock

import pytest
import torch

from cache_core import MODULES, CacheError, ConfigError, Extrapolation, NoiseScale, Plan, Steps, Timeline
from cache_core.calibrate import Allowance, Memo, Recorder, Tracker
from cache_core.calibrate.candidates import planned_steps
from cache_core.calibrate.exposure import fit_scale, flow_alpha, noise_sizes
from cache_core.calibrate.feb import Laboratory, choose, fastest, feb_plan, measure
from cache_core.calibrate.measure import measure_pass, measure_reach, places
from cache_core.calibrate.recording import Recording
from cache_core.saved_plan.costs import Costs
from cache_core.saved_plan.file import load, save
from cache_core.saved_plan.saved_plan import Origin, SavedPlan
from cache_core.schedule import TableAt, evenly, from_steps
from lab.families import FLUX
from lab.sample import flow_sigmas, noise_of, sample
from lab.sample import load as load_model

STEPS, GUIDANCE, SPEEDUP, BUDGET = 16, 3.0, 2.0, 26.0
COSTS = Costs(0.7, 0.7, 0.3, 0.08)


class Bench:
    """The lab's FLUX, one calibration seed for each number; counts the evaluations that were paid for."""

    def __init__(self, model):
        self.model, self.timeline, self.scale = model, Timeline.flow(flow_sigmas(STEPS)), (1.0,) * STEPS
        self.sampled = []

    def sample(self, number, plans=(), watch=None):
        self.sampled.append(number)
        return self.drawn([1000 + number], plans, watch)

    def drawn(self, seeds, plans=(), watch=None):
        labels = torch.tensor([seed % 8 for seed in seeds])
        return sample(
            self.model, noise_of(seeds, FLUX.latents), labels, self.timeline.sigmas, plans, GUIDANCE, watch=watch
        )[0]


@pytest.fixture(scope="module")
def bench():
    return Bench(load_model()[0])


@pytest.fixture(scope="module")
def made(bench):
    seen = []
    plan, report = feb_plan(
        bench, Origin("Flux"), SPEEDUP, 2, Allowance(BUDGET, lambda *told: seen.append(told)), costs=COSTS
    )
    return plan, report, seen


def apart(a, b):
    return float((a - b).norm() / b.norm())


def test_the_plan_takes_no_more_compute_than_was_asked_for(made):
    plan, report, _ = made
    assert plan.speedup >= SPEEDUP
    assert plan.costs == COSTS == report.costs
    assert plan.origin.samples == 2
    assert all(found.speedup >= SPEEDUP for found in report.compared)


def test_the_plan_is_no_worse_than_a_uniform_table_on_what_it_was_made_from_and_better_on_other_seeds(bench, made):
    plan, report, _ = made
    drifts = {found.name: found.drift for found in report.compared}
    assert (
        plan.drift
        == report.compared[0].drift
        <= min(drift for name, drift in drifts.items() if name.startswith("uniform"))
    )
    seeds = [1, 2, 3, 4]
    plain = bench.drawn(seeds)
    uniform = Plan(Steps(MODULES, evenly(STEPS, COSTS.full_steps(STEPS, SPEEDUP))), merge=True)
    assert apart(bench.drawn(seeds, (plan.plan(bench.timeline, "x"),)), plain) < apart(
        bench.drawn(seeds, (uniform,)), plain
    )


class Hiccups:
    """A clock by which all takes one second, and some of its calls come 100 seconds late."""

    def __init__(self, *late):
        self.late, self.calls, self.now = late, 0, 0.0

    def __call__(self):
        self.now += 100 if self.calls in self.late else 1
        self.calls += 1
        return self.now


@pytest.mark.parametrize("late", [(2,), (4,), (2, 4)], ids=["first reused", "second reused", "both of one run"])
def test_an_interruption_does_not_change_what_reuse_costs(bench, late):
    passes = [measure_pass(bench, 0, 0, Hiccups())]
    clock = Hiccups(*late)  # a step's evaluation ends at call 2 * step; steps 1 and 2 of the first run are reused
    assert measure_reach(bench, passes, 2, clock).merged == 1.0
    assert clock.calls > max(late)


def test_with_given_costs_the_same_bench_gives_the_same_plan(bench, made):
    with mock.patch("cache_core.calibrate.feb.date") as clock:  # a run that passes midnight
        clock.today.return_value = date(2001, 1, 1)
        again, report = feb_plan(Bench(bench.model), Origin("Flux"), SPEEDUP, 2, Allowance(BUDGET), costs=COSTS)
    assert again == made[0]
    assert report.compared == made[1].compared


def test_what_was_sampled_before_an_interruption_is_not_sampled_again(bench, made, tmp_path):
    first, again = Bench(bench.model), Bench(bench.model)
    for each in (first, again):
        plan, _ = feb_plan(each, Origin("Flux"), SPEEDUP, 2, Allowance(BUDGET), Memo(tmp_path), COSTS)
        assert plan == made[0]
    assert len(again.sampled) < len(first.sampled) / 5  # only what fits the noise scale


def test_the_best_plan_after_a_first_look_is_given_to_be_kept(bench, tmp_path):
    kept, memo = [], Memo(tmp_path)
    plan, report = feb_plan(bench, Origin("Flux"), SPEEDUP, 1, Allowance(12.0), memo, COSTS, keep=kept.append)
    assert len(kept) == 1
    assert kept[0].speedup >= SPEEDUP
    assert (
        plan.drift
        <= kept[0].drift
        == min(found.drift for found in report.compared if not found.name.endswith("fitted"))
    )


def test_a_wider_drift_allows_a_faster_plan_and_an_impossible_one_the_slowest(bench, tmp_path):
    lab = Laboratory(bench, Allowance(40.0), Memo(tmp_path))
    measured = measure(lab, 1, COSTS)
    wide, tight, never = (fastest(lab, measured, drift) for drift in (0.3, 0.03, 1e-9))
    assert wide > tight > never == COSTS.speedup(planned_steps(measured.passes, round(STEPS / 1.2)).table)
    plan, _ = choose(lab, measured, Origin("Flux"), tight)
    assert plan.drift <= 0.03


def test_sampling_stays_within_the_budget_and_progress_rises_to_it(made):
    _, report, seen = made
    assert report.spent <= BUDGET
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert 0.5 < shares[-1] <= 1.0
    assert all(text for _, text in seen)


def test_every_rule_of_the_field_is_compared(made):
    names = {found.name for found in made[1].compared}
    assert {
        "uniform, reuse",
        "uniform, order 2",
        "presets' steps, reuse",
        "Algorithm 1",
        "planned, reuse",
        "planned for order 2",
    } <= names
    assert any(name.endswith("fitted") for name in names)


def test_corrections_of_the_model_s_output_are_fitted_and_applied_where_attention_and_mlp_are_cached(bench):
    steps = (0, 1, 3, 6, 10, STEPS - 1)
    plain, recorder = Plan(Steps(MODULES, steps), Extrapolation(2), merge=True), Recorder(bench.timeline, bench.scale)
    final = bench.sample(0, watch=recorder)
    tracker = Tracker(recorder.recording(), steps, between=False)
    tracked = bench.sample(0, (plain,), tracker)
    plan = SavedPlan(
        Origin("Flux", samples=1),
        TableAt(from_steps(MODULES, steps, STEPS), bench.timeline.sigmas),
        tuple(tracker.fits.values()),
    )
    again = bench.sample(0, (plan.plan(bench.timeline, "x"),))
    assert apart(again, tracked) < 1e-5
    assert apart(again, final) < 0.9 * apart(bench.sample(0, (plain,)), final)


def test_the_noise_scale_is_kept_only_where_it_helps_samples_it_was_not_fitted_to(made):
    plan, report, _ = made
    assert report.scale is None or plan.corrector == (report.scale if report.scaled < report.unscaled else NoiseScale())


def test_the_plan_is_saved_and_loaded_with_all_it_was_made_from(made, tmp_path):
    save(made[0], tmp_path / "feb.safetensors")
    assert load(tmp_path / "feb.safetensors") == made[0]


def test_displacements_near_pure_noise_reach_further_than_those_near_the_end(made):
    gain = made[1].gain
    assert len(gain) == STEPS
    assert gain[0] > 2 * gain[-1]


def test_curves_say_how_errors_grow_with_age(made):
    curve = [error for error in made[0].curves.of("high noise", "both", "low") if error == error]
    assert curve[0] < curve[-1]


def test_measured_costs_lie_between_nothing_and_a_computed_evaluation(bench):
    _, report = feb_plan(bench, Origin("Flux"), 1.5, 1, Allowance(12.0))
    assert 0 < report.costs.merged < report.costs.attention < 1.5
    assert report.costs.both < report.costs.mlp


def test_a_cancel_goes_through(bench):
    class Cancelled(Exception):
        pass

    class Cancelling(Bench):
        def sample(self, number, plans=(), watch=None):
            if len(self.sampled) > 2:
                raise Cancelled
            return super().sample(number, plans, watch)

    with pytest.raises(Cancelled):
        feb_plan(Cancelling(bench.model), Origin("Flux"), SPEEDUP, 2, Allowance(BUDGET), costs=COSTS)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"speedup": 0.5}, "speedup"),
        ({"speedup": 8.0}, "speedup"),
        ({"samples": 0}, "samples"),
        ({"allowance": Allowance(3.0)}, "budget"),
    ],
)
def test_settings_out_of_range_are_refused(bench, change, named):
    with pytest.raises(ConfigError, match=named):
        feb_plan(
            bench,
            Origin("Flux"),
            **{"speedup": SPEEDUP, "samples": 1, "allowance": Allowance(12.0), "costs": COSTS, **change},
        )


def test_a_sampler_that_looks_between_the_steps_is_refused(bench):
    class Between(Bench):
        def sample(self, number, plans=(), watch=None):
            watch.begin(0.5 * sum(self.timeline.sigmas[3:5]), torch.zeros(1, 16, 16, 16))
            watch.end(torch.zeros(1, 16, 16, 16))
            return super().sample(number, plans, watch)

    with pytest.raises(CacheError, match="just its steps"):
        feb_plan(Between(bench.model), Origin("Flux"), SPEEDUP, 1, Allowance(12.0), costs=COSTS)


def test_places_leave_room_for_what_is_skipped():
    assert places(16, 4) == (0, 4, 8, 12)
    assert places(8, 8)[-1] == 4


def test_the_noise_of_a_flow_state_is_found_from_state_and_velocity():
    clean, noise = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    nodes = (0.9, 0.5, 0.1)
    states = torch.stack([(1 - s) * clean + s * noise for s in nodes])
    sizes = noise_sizes(Recording(nodes, (-0.4, -0.4, -0.1), states, (noise - clean).expand(3, -1)))
    assert sizes == pytest.approx([float(noise.square().mean().sqrt())] * 3, rel=1e-4)
    assert flow_alpha(0.25) == 0.75


@pytest.mark.parametrize(("high", "low"), [(0.98, 0.96), (1.02, 1.03), (1.0, 1.0)])
def test_the_scale_is_found_whichever_its_sign(high, low):
    times = [1 - i / 20 for i in range(20)]
    uncached = [[1.0 + 0.01 * i + sample for i in range(20)] for sample in (0.0, 0.1)]
    cached = [
        [size / NoiseScale(high, low).factor(t) for size, t in zip(sizes, times, strict=True)] for sizes in uncached
    ]
    found = fit_scale(cached, uncached, times)
    assert (found.high, found.low) == pytest.approx((high, low), abs=2e-5)


def test_a_plan_that_reuses_one_kind_alone_keeps_every_site_and_counts_those_steps():
    from cache_core import Kind, Table
    from cache_core.schedule import TableAt

    rows = (MODULES, frozenset({Kind.MLP}), frozenset(), MODULES)
    plan = SavedPlan(Origin(""), TableAt(Table(MODULES, rows), (1.0, 0.7, 0.5, 0.2, 0.0)), order=1, costs=COSTS)
    assert plan.alone == 1
    assert not plan.plan(Timeline.flow(plan.sigmas), "x").merge
    assert plan.speedup == pytest.approx(4 / 3.0)
    assert "one kind only" in plan.text()

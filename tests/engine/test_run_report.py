"""What a run says it did."""

import json
from dataclasses import asdict

import pytest
import torch
from toy import Bench, Double, Single, inputs, plan, small_flux, toy

from cache_core import MODULES, OUTPUT, Extrapolation, Frame, Interval, Kind, Plan, Run, Timeline, TwoStage, report
from cache_core.run.engine import evaluate
from lab.sample import flow_sigmas, noise_of, sample

STEPS = 12


def sampled(*plans, steps=STEPS):
    return sample(small_flux(), noise_of([1], (4, 4, 4)), torch.tensor([3]), flow_sigmas(steps), plans)[1]


def benched(*plans, model=None, evaluations=STEPS, finished=True):
    bench = Bench(toy() if model is None else model, *plans, steps=STEPS)
    for seed in range(evaluations):
        bench(*inputs(seed))
    bench.run.close()
    return report(bench.run, "Toy", finished)


def states(done):
    return [row.state for row in done.rows]


@pytest.mark.parametrize("schedule", [Interval(OUTPUT, 3), Interval(OUTPUT, 1)])
def test_what_is_computed_and_what_is_predicted_make_all_evaluations_and_keep_the_tables_promise(schedule):
    done = sampled(Plan(schedule, Extrapolation(order=2)))
    promised = len(schedule.table(Timeline.flow(flow_sigmas(STEPS))).computed(Kind.MODEL))
    assert done.computed == promised
    assert done.computed + states(done).count("predict model") == done.evaluations == STEPS


def test_every_kind_is_computed_at_the_steps_that_the_table_promises():
    bench = Bench(toy(), Plan(TwoStage(3, 3, 2)), plan("##.#.", OUTPUT), steps=STEPS)
    for seed in range(STEPS):
        bench(*inputs(seed))
    for kind in MODULES | OUTPUT:
        computed = (e.step for e in bench.run.evaluations if not e.predicted & {kind, Kind.MODEL})
        assert tuple(computed) == bench.run.table.computed(kind)


def test_the_states_are_named():
    assert states(benched(plan("#am.")))[:5] == ["compute", "reuse mlp", "reuse attention", "reuse both", "compute"]
    assert states(benched(plan("#."), plan("#.#", OUTPUT)))[:4] == ["compute", "predict model", "reuse both", "compute"]


def test_a_row_tells_its_step_and_sigma():
    assert [(row.step, row.sigma) for row in benched(plan("#m")).rows] == list(enumerate(flow_sigmas(STEPS)[:-1]))


def test_shares_are_of_an_uncached_runs_calls():
    assert benched(plan("#am.#")).shares == pytest.approx({"attention": 10 / 12, "mlp": 10 / 12})
    assert benched(plan("#aa.#")).shares == pytest.approx({"attention": 11 / 12, "mlp": 9 / 12})
    assert benched(plan("#..#", OUTPUT)).shares == pytest.approx({"model": 10 / 12})


def test_shares_of_blocks_count_the_steps_at_which_the_model_is_predicted():
    shares = benched(plan("#m"), plan("#.#", OUTPUT)).shares
    assert shares == pytest.approx({"model": 11 / 12, "attention": 10 / 12, "mlp": 11 / 12})


def test_shares_count_the_calls_that_a_demoted_block_computes():
    # Was wrong once (report.py, _computed_share): calls of sites that are no longer mounted are in neither counter.
    gated = type("Yak", (Single,), {"yak_mlp": True})
    done = benched(plan("#a"), model=toy((Double,), (gated,)))
    assert done.shares["mlp"] == pytest.approx((11 + 1 / 3) / 12)  # at one step, two of three MLPs are reused


def timed(marks, seconds):
    """The report of a run of the whole model whose evaluations took the given seconds."""
    run, now = Run((plan(marks, OUTPUT),), Timeline.flow(flow_sigmas(len(marks)))), 0.0
    for sigma, taken in zip(flow_sigmas(len(marks)), seconds, strict=False):
        run.begin(sigma, now)
        evaluate(run, ["a"], "shape", lambda: torch.ones(1, 1))
        now += taken
    run.end(now)
    return report(run, "Toy", True)


def test_time_saved_is_measured_against_the_computed_evaluations_but_the_first():
    taken = [90, 10, 1, 1, 1, 2, 2, 2]
    done = timed("##......", taken)
    assert [row.seconds for row in done.rows] == taken
    assert done.seconds == 109
    assert done.seconds_saved == 3 * (10 - 1) + 3 * (10 - 2)
    assert "saved 51.00 s, 1.47x" in done.text()
    assert "saved 51.0 s" in done.line()


def test_nothing_is_claimed_to_be_saved_without_a_computed_evaluation():
    done = report(Run((plan("#."),), Timeline.flow(flow_sigmas(STEPS))), "Toy", finished=False)
    assert done.seconds_saved is None
    assert (done.rows, done.shares) == ((), {})
    assert "nothing to compare" in done.text()
    assert "saved" not in done.line()


@pytest.mark.parametrize("kinds", [MODULES, OUTPUT])
def test_a_run_stopped_before_its_first_model_call_is_reported(kinds):
    # Was wrong once (report.py, _shares): no block sites are known until the mounts are made, and the KeyError hid what
    # stopped the run.
    run = Run((plan("#.", kinds),), Timeline.flow(flow_sigmas(STEPS)))
    run.begin(1.0)
    run.close()
    done = report(run, "Toy", finished=False)
    assert (done.evaluations, done.finished) == (1, False)


def test_an_evaluation_in_which_the_model_ran_for_one_conditioning_is_computed():
    # Was wrong once (report.py, state_of): one predicted call makes the evaluation `predict model`, though another call
    # was computed.
    run = Run((plan("#.", OUTPUT),), Timeline.flow(flow_sigmas(STEPS)))
    for sigma, signature in ((1.0, "small"), (11 / 12, "large")):
        run.begin(sigma)
        evaluate(run, ["a"], "small", lambda: torch.ones(1, 1))
        evaluate(run, ["b"], signature, lambda: torch.ones(1, 1))
    assert report(run, "Toy", True).computed == 2


def test_demotions_notes_and_restarts_are_told():
    run = Run((plan("#.", OUTPUT),), Timeline.flow(flow_sigmas(4)))
    run.demote("block 3 is odd")
    run.restarts = 2
    done = report(run, "Toy", finished=True)
    assert "block 3 is odd" in done.text()
    assert "dropped 2 times" in done.text()
    assert run.notes[0] in " ".join(done.text().split())
    assert "block 3 is odd" in done.line()


def test_a_demotion_or_note_is_told_once():
    run = Run((plan("#."),), Timeline.flow(flow_sigmas(STEPS)))
    for tell in (run.demote, run.note):
        tell("odd")
        tell("odd")
    assert (run.demotions, run.notes) == (["odd"], ["odd"])


def test_the_text_draws_the_run():
    assert "\n#am.########\n" in benched(plan("#am.")).text()
    assert "\n#.m#########\n" in benched(plan("#m"), plan("#.#", OUTPUT)).text()


def test_the_line_names_the_plans_the_model_and_the_counts():
    line = benched(Plan(Interval(OUTPUT, 2, Frame(warmup=0)), name="AB"), Plan(TwoStage(), name="FEB")).line()
    assert line.startswith("AB + FEB on Toy: model ran in 7 of 12 evaluations")
    assert "\n" not in line


def test_a_stopped_run_says_so():
    done = benched(plan("#."), evaluations=5, finished=False)
    assert done.evaluations == 5
    assert "stopped" in done.line()
    assert "stopped" in done.text()
    assert "stopped" not in benched(plan("#.")).line()


@pytest.mark.parametrize("plans", [(plan("#am."),), (plan("#.", OUTPUT),), (plan("#m"), plan("#.#", OUTPUT))])
def test_a_report_holds_numbers_and_words_only(plans):
    done = sampled(*plans)
    read = json.loads(json.dumps(asdict(done)))  # fails for anything else, such as a tensor
    assert [row["state"] for row in read["rows"]] == states(done)
    assert read["shares"] == done.shares


def test_blocks_of_a_call_that_was_predicted_whole_count_as_not_computed():
    run = Run((plan("#."), plan("#.", OUTPUT)), Timeline.flow(flow_sigmas(STEPS)))

    def model():
        run.evaluation.block_calls += 1
        return torch.ones(1, 1)

    # at the second step only one of two calls can be predicted
    for sigma, signature in ((1.0, "small"), (11 / 12, "large")):
        run.begin(sigma)
        evaluate(run, ["a"], "small", model)
        evaluate(run, ["b"], signature, model)
    assert report(run, "Toy", True).shares == pytest.approx({"model": 0.75, "attention": 0.75, "mlp": 0.75})

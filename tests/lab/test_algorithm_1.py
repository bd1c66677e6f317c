"""Algorithm 1: greedy against errors that are known, votes, and the budget."""

import pytest
import torch

from cache_core import MODULES, Kind, Timeline
from cache_core.calibrate.recording import Recording
from cache_core.calibrate.trials import Trials, anchors_of
from cache_core.saved_plan.costs import Costs
from lab.algorithm_1 import algorithm_1, candidate, greedy, shares, vote

ATTENTION, MLP, NONE = frozenset({Kind.ATTENTION}), frozenset({Kind.MLP}), frozenset()
TIMES = tuple(1 - i / 10 for i in range(10))
COSTS = Costs(0.6, 0.6, 0.2, 0.1)


def by_age(attention, mlp, both):
    """An error that is so much for each step since the older of the reused kinds was computed."""
    rate = {ATTENTION: attention, MLP: mlp, MODULES: both}

    def error(step, state, last_attention, last_mlp):
        last = {Kind.ATTENTION: last_attention, Kind.MLP: last_mlp}
        return rate[state] * (step - min(last[kind] for kind in state))

    return error


def test_the_stage_s_candidate_is_the_mlp_at_high_noise_and_attention_at_low_noise():
    assert candidate(0.41) == MLP
    assert candidate(0.4) == ATTENTION
    assert candidate(0.4, boundary=0.3) == MLP


def test_both_are_reused_within_delta_else_the_candidate_else_nothing():
    always, never = (lambda *_: 0.0), (lambda *_: 1e9)
    assert greedy(always, TIMES, 1.0) == (NONE, *(MODULES,) * 9)
    assert greedy(never, TIMES, 1.0) == (NONE,) * 10
    alone = greedy(lambda step, state, *_: 1e9 if state == MODULES else 0.0, TIMES, 1.0)
    assert alone == (NONE, *(MLP,) * 5, *(ATTENTION,) * 4)


def test_what_a_step_computes_is_what_later_ones_reuse():
    """Both may be two steps old at t = 1 with delta = 2 t: at t = 0.9 one, then delta falls below 1 after t = 0.5."""
    assert greedy(by_age(9, 9, 1), TIMES, 2.0) == (NONE, MODULES, NONE, MODULES, NONE, MODULES, NONE, NONE, NONE, NONE)
    seen = []
    greedy(lambda step, state, a, m: seen.append((step, a, m)) or (0.0 if state == MLP else 1e9), TIMES[:5], 1.0)
    assert seen[-1] == (4, 3, 0)  # attention was computed at each step, the MLP at the first only


def test_delta_grows_linearly_in_t():
    assert greedy(lambda step, *_: TIMES[step] * 0.5, TIMES, 0.5) == (NONE, *(MODULES,) * 9)
    assert greedy(lambda step, *_: TIMES[step] * 0.5, TIMES, 0.49) == (NONE,) * 10


def test_most_samples_decide_and_of_equal_votes_the_one_that_computes_more():
    table = vote([(NONE, MODULES, MODULES, ATTENTION), (NONE, MODULES, NONE, MODULES), (NONE, NONE, MODULES, NONE)])
    assert [table.predicted(step) for step in range(4)] == [NONE, MODULES, MODULES, NONE]


@pytest.mark.parametrize("speedup", [1.2, 1.5, 2.0])
def test_the_scale_of_delta_is_the_least_that_fits_the_budget(speedup):
    errors = [by_age(1.0, 0.5, 1.2), by_age(2.0, 0.7, 2.1), by_age(0.8, 0.9, 1.0)]
    table = algorithm_1(errors, TIMES, lambda table: COSTS.speedup(table) >= speedup)
    assert COSTS.speedup(table) >= speedup
    tables = [vote([greedy(error, TIMES, scale / 1000) for error in errors]) for scale in range(20000)]
    assert table == next(t for t in tables if COSTS.speedup(t) >= speedup)


def test_an_error_grows_with_the_distance_in_sigma_from_where_each_kind_was_computed():
    recording = Recording.of(Timeline.even(12), torch.zeros(12, 1), torch.zeros(12, 1))
    trials = Trials(recording, anchors_of(12, (0, 4)), torch.zeros(12, 2, 4, 4), torch.ones(12, 4))
    assert shares(trials, 7, 4, 4) == pytest.approx((0, 0, 1))
    assert shares(trials, 7, 4, 7) == pytest.approx((1, 0, 0))
    assert shares(trials, 7, 7, 4) == pytest.approx((0, 1, 0))
    assert shares(trials, 7, 1, 1) == pytest.approx((0, 0, 2))
    assert shares(trials, 7, 4, 1) == pytest.approx((0, 1, 1))

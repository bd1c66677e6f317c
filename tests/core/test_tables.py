"""Schedules known before the run: what a table refuses, and which values it needs kept."""

import random

import pytest

from cache_core import MODULES, OUTPUT, ConfigError, Kind, Table
from cache_core.schedule import everything, from_steps, nest
from cache_core.site import BRANCHES

ATTENTION, MLP, MODEL, GUIDANCE = Kind.ATTENTION, Kind.MLP, Kind.MODEL, Kind.GUIDANCE
BOTH, NONE = MODULES, frozenset()


def random_table(chance, kinds, steps=14):
    rows = [frozenset(k for k in kinds if chance.random() < 0.5) for _ in range(steps)]
    return Table(kinds, (kinds, *rows[1:]))


def used(rows, kind, order, rests=lambda row: False):
    """By simulation: the steps whose computed value of `kind` some later prediction is made from."""
    kept, read = [], set()
    for step, row in enumerate(rows):
        if rests(row):
            continue
        if kind in row:
            kept = [*kept, step][-order:]
        else:
            read.update(kept)
    return read


def needed(table, kind, order):
    return {step for step in table.computed(kind) if table.needed(step, kind, order)}


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_a_value_is_needed_just_when_a_later_prediction_reads_it(order):
    for seed in range(100):
        table = random_table(random.Random(seed), MODULES)
        for kind in MODULES:
            assert needed(table, kind, order) == used(table.rows, kind, order)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_nested_plan_needs_nothing_for_the_steps_at_which_it_rests(order):
    # Was wrong once (schedule/table.py, needed): a step at which the whole model is predicted counts as one that
    # predicts the blocks.
    for chance in map(random.Random, range(50)):
        outer = random_table(chance, OUTPUT)
        table = nest(outer, random_table(chance, MODULES, len(outer.computed(MODEL))))
        for kind in MODULES:
            assert needed(table, kind, order) == used(table.rows, kind, order, rests=lambda row: MODEL not in row)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_guidance_is_needed_for_the_steps_that_compute_all_else_and_leave_a_branch_out(order):
    for chance in map(random.Random, range(50)):
        outer = random_table(chance, chance.choice((OUTPUT, MODULES)))
        table = nest(outer, random_table(chance, BRANCHES, len(outer.full_steps())))
        wanted = used(table.rows, GUIDANCE, order, rests=lambda row, kinds=outer.kinds: not kinds <= row)
        assert needed(table, GUIDANCE, order) == wanted


def test_a_branch_is_left_out_between_full_steps_as_at_the_last_one():
    kinds = MODULES | BRANCHES
    table = Table(kinds, (kinds, NONE, frozenset({MLP}), MODULES, NONE, BRANCHES, kinds, NONE))
    assert [GUIDANCE in table.predicted(step) for step in range(8)] == [False] * 3 + [True] * 3 + [False] * 2
    assert table.full_steps() == (0, 3, 6)


@pytest.mark.parametrize(
    ("kinds", "rows", "work"),
    [
        (BRANCHES, (BRANCHES, NONE, NONE, BRANCHES), 3.0),
        (MODULES, (BOTH, NONE, frozenset({MLP}), BOTH), 2.5),
        (MODULES | BRANCHES, (BOTH | BRANCHES, NONE, BOTH, frozenset({MLP})), 1.75),
        (OUTPUT | BRANCHES, (OUTPUT | BRANCHES, NONE, OUTPUT, NONE), 1.5),
    ],
)
def test_one_branch_is_half_the_work_of_a_step(kinds, rows, work):
    assert Table(kinds, rows).work == work


def test_a_table_that_computes_everything_needs_nothing_kept():
    table = everything(MODULES, 6)
    assert not any(table.needed(step, kind, 4) for step in range(6) for kind in MODULES)
    assert table.states() == NONE


def test_a_table_knows_its_computed_steps_and_its_states():
    table = Table(MODULES, (BOTH, NONE, BOTH, frozenset({MLP})))
    assert table.computed(ATTENTION) == (0, 2)
    assert table.computed(MLP) == (0, 2, 3)
    assert table.states() == {BOTH, frozenset({ATTENTION})}


def test_a_step_that_predicts_the_model_predicts_nothing_else():
    table = Table(MODULES | OUTPUT, (MODULES | OUTPUT, NONE, OUTPUT, BOTH))
    assert [table.predicted(step) for step in range(4)] == [NONE, OUTPUT, BOTH, OUTPUT]


def test_a_table_from_steps_computes_all_kinds_there_and_none_elsewhere():
    assert from_steps(MODULES, [0, 2], 4).rows == (BOTH, NONE, BOTH, NONE)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ((), "empty"),
        ((NONE, BOTH), "step 0"),
        ((frozenset({MLP}), BOTH), "step 0"),
        ((BOTH, OUTPUT), "does not schedule"),
    ],
)
def test_a_table_that_cannot_be_run_is_refused(rows, complaint):
    with pytest.raises(ConfigError, match=complaint):
        Table(MODULES, rows)


def test_with_attention_alone_in_the_table_the_mlp_is_computed_at_every_step():
    steps = (frozenset({Kind.ATTENTION}), frozenset())
    assert Table(frozenset({Kind.ATTENTION}), steps).work == 1.5

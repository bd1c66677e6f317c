"""FEB-Cache's schedules: the released table and the two-stage rule."""

from random import Random

import pytest

from cache_core import MODULES, ConfigError, Frame, Kind, Released, Timeline, TwoStage

ATTENTION, MLP = Kind.ATTENTION, Kind.MLP
PUBLISHED = "0220220222020202020202020202" + 22 * "0"  # from the cleanest step up
UNFRAMED = Frame(warmup=0, final=0)


def timeline(steps):
    return Timeline.flow(tuple(1 - i / steps for i in range(steps + 1)))


def test_the_released_table_is_the_published_list():
    names = {"0": MODULES, "2": frozenset()}
    assert list(Released().table(timeline(50)).rows) == [names[state] for state in reversed(PUBLISHED)]


def test_the_released_table_computes_34_steps_and_reuses_both_at_16():
    rows = Released().table(timeline(50)).rows
    assert [rows.count(MODULES), rows.count(frozenset())] == [34, 16]


@pytest.mark.parametrize("steps", [12, 20, 25, 28, 30, 40, 60, 75, 100])
def test_the_released_table_keeps_its_share_at_other_step_counts(steps):
    # Was wrong once (schedule/released.py, table): picking every n-th entry of an alternating table aliases: at 25
    # steps, 12 reuses in a row.
    rows = Released().table(timeline(steps)).rows
    assert abs(rows.count(MODULES) - steps * 34 / 50) <= 1


def test_high_noise_keeps_attention_fresh_and_low_noise_the_mlp():
    line, rule = timeline(40), TwoStage(attention_interval=3, mlp_interval=4, boundary=0.4)
    high = [row for time, row in zip(line.times, rule.table(line).rows, strict=True) if time > 0.4]
    low = [row for time, row in zip(line.times, rule.table(line).rows, strict=True) if time <= 0.4]
    assert all(ATTENTION in row for row in high)
    assert all(MLP in row for row in low)
    assert not all(MLP in row for row in high)
    assert not all(ATTENTION in row for row in low)


def test_the_other_kind_is_computed_at_its_interval():
    table = TwoStage(attention_interval=3, mlp_interval=4, boundary=0.5, frame=UNFRAMED).table(timeline(20))
    assert table.computed(MLP) == (0, 4, 8, *range(10, 20))
    assert table.computed(ATTENTION) == (*range(10), 12, 15, 18)


def test_a_fragile_interval_reaches_all_four_states():
    assert TwoStage(fragile_interval=1).table(timeline(40)).states() == {frozenset({ATTENTION}), frozenset({MLP})}
    assert TwoStage(fragile_interval=2).table(timeline(40)).states() == {
        frozenset({ATTENTION}),
        frozenset({MLP}),
        MODULES,
    }


def test_the_stage_is_told_by_model_time_not_by_step():
    late = Timeline(tuple(float(s) for s in range(20, -1, -1)), (0.9,) * 15 + (0.1,) * 5)
    table = TwoStage(mlp_interval=2, attention_interval=2, frame=UNFRAMED).table(late)
    assert table.computed(ATTENTION) == (*range(15), 16, 18)


def test_warm_up_final_steps_and_window_are_computed():
    table = TwoStage(10, 10, 6, frame=Frame(3, 2, 0.0, 0.5)).table(timeline(20))
    assert [step for step, row in enumerate(table.rows) if row == MODULES] == [0, 1, 2, *range(11, 20)]


@pytest.mark.parametrize("seed", range(60))
def test_a_larger_interval_of_any_kind_never_computes_more_of_either_kind(seed):
    # Was wrong once (two_stage.TwoStage): a stage may hold more multiples of a larger interval.
    draw = Random(seed)
    line, start = timeline(draw.randint(8, 1000 if seed % 3 == 0 else 60)), draw.randrange(100)
    frame = Frame(draw.randrange(12), draw.randrange(4), start / 100, draw.randint(start + 1, 100) / 100)
    intervals = [draw.randint(1, 10), draw.randint(1, 10), draw.randint(1, 6)]
    for place, most in enumerate((10, 10, 6)):
        choices = [[*intervals[:place], interval, *intervals[place + 1 :]] for interval in range(1, most + 1)]
        tables = [TwoStage(*chosen, 0.4, frame).table(line) for chosen in choices]
        for kind in MODULES:
            counts = [len(table.computed(kind)) for table in tables]
            assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("interval", range(1, 7))
def test_three_intervals_alike_reuse_both_kinds_at_once_or_none(interval):
    for steps in range(8, 61):
        assert TwoStage(interval, interval, interval).table(timeline(steps)).states() <= {MODULES}


def test_intervals_of_one_compute_everything():
    assert not TwoStage(1, 1, 1).table(timeline(20)).states()


@pytest.mark.parametrize(
    "bad", [{"attention_interval": 0}, {"mlp_interval": 11}, {"fragile_interval": 7}, {"boundary": -0.1}]
)
def test_a_stage_rule_names_the_value_it_refuses(bad):
    (value,) = bad.values()
    with pytest.raises(ConfigError, match=str(value)):
        TwoStage(**bad)

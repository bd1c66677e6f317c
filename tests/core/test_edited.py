"""Single cells of a table, changed by hand."""

import pytest

from cache_core import ConfigError, Kind, Timeline, TwoStage, parse_steps
from cache_core.schedule import Edited, differences, format_edits, format_steps, parse_edits

TEN, BASE = Timeline.even(10), TwoStage(2, 2, 2)


@pytest.mark.parametrize("steps", [(), (0,), (0, 1), (0, 1, 2, 5, 7, 8), (3, 1, 2, 2)])
def test_a_list_of_steps_is_read_as_it_is_written(steps):
    assert not steps or parse_steps(format_steps(steps)) == tuple(sorted(set(steps)))


@pytest.mark.parametrize(
    "text", ["", "compute attention 6,9", "reuse both 3-5", "compute mlp 1; reuse both 3; reuse mlp 7-8"]
)
def test_edits_are_read_as_they_are_written(text):
    assert format_edits(parse_edits(text)) == text


def test_later_edits_win():
    assert parse_edits("compute both 3-5; reuse mlp 4")[4, Kind.MLP] is False


def test_only_the_named_cells_change():
    before, after = BASE.table(TEN), Edited(BASE, "compute mlp 5; reuse attention 6").table(TEN)
    assert differences(before, after) == {(5, Kind.MLP): True, (6, Kind.ATTENTION): False}


def test_steps_that_the_sampling_does_not_have_are_left_out():
    assert Edited(BASE, "compute both 30").table(TEN) == BASE.table(TEN)


@pytest.mark.parametrize(
    "text", ["3", "compute 3", "compute model 3", "skip mlp 3", "compute mlp", "compute mlp x", "compute mlp 5-3"]
)
def test_what_is_no_edit_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="edited_steps has .*write"):
        parse_edits(text)


def test_the_first_step_cannot_be_reused():
    with pytest.raises(ConfigError, match="step 0"):
        Edited(BASE, "reuse mlp 0").table(TEN)

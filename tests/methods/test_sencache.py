"""SenCache: distance from the state computed last, by the sensitivity there (METHODS_RELATED.md section 12)."""

from dataclasses import replace

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import SENCACHE, Sampling, Variant, at_strength
from cache_core.methods.sencache import MOST, STRICT, rule, share
from cache_core.schedule import Displacement
from cache_core.timeline import Timeline
from tests.methods.profiles import profile

LINE = Timeline.even(20)
PICTURE = Sampling(LINE, Variant("Flux"), profile=profile(LINE, change=0.1, moved=0.05))


def test_it_is_not_summed_and_needs_the_state_alone():
    own = rule(PICTURE, 0.35)
    assert own.indicator == Displacement()
    assert own.after(100.0, 0.05, 10, 9) == pytest.approx(0.1)  # J = 2
    assert own.most == MOST == 3


def test_the_first_fifth_is_stricter_by_the_released_ratio():
    own = rule(PICTURE, 0.35)
    assert own.after(0.0, 0.05, 3, 2) == pytest.approx(0.1 * STRICT)
    assert own.after(0.0, 0.05, 4, 2) == pytest.approx(0.1)


def test_the_sensitivity_is_that_of_the_step_computed_last():
    recorded = replace(PICTURE.profile, change=(0.0, *(0.01 * step for step in range(1, 20))))
    own = rule(replace(PICTURE, profile=recorded), 0.35)
    assert own.after(0.0, 0.05, 12, 9) == pytest.approx(0.1)  # leaving 9: change 0.10 for moved 0.05
    assert own.after(0.0, 0.05, 12, 11) == pytest.approx(0.12)
    assert own.after(0.0, 0.05, 19, 19) == pytest.approx(0.19)  # nothing is recorded beyond the end


def test_no_more_than_three_in_a_row_so_it_saves_three_of_four_at_most():
    assert share(PICTURE, 100.0) == pytest.approx(14 / 20)  # 0 4 8 12 16 19
    assert share(PICTURE, 0.001) == 0.0


def test_a_strength_has_a_threshold_by_the_recorded_picture():
    # 0 to 3 are computed, and 19; in between a displacement of m steps counts 0.1 m
    assert share(PICTURE, 0.15) == pytest.approx(8 / 20)  # 4, 6, .., 18
    assert at_strength(SENCACHE, PICTURE, 0.4) <= 0.2


def test_without_a_picture_it_is_refused_and_told_to_learn():
    with pytest.raises(ConfigError, match="learned on this model"):
        SENCACHE.plan(Sampling(LINE, Variant("Flux")), 0.1)

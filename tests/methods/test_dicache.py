"""DiCache: the rule, the blocks, and the blend."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import Sampling, Variant
from cache_core.methods.dicache import DICACHE
from cache_core.predictor import Blended
from cache_core.schedule import Probe
from cache_core.timeline import Timeline
from tests.methods.test_dbcache import FLUX, STEPS, sampling


def test_the_first_block_probes_and_the_ends_are_computed():
    given = Sampling(Timeline.even(50), Variant("Flux", lists=FLUX))
    plan = DICACHE.plan(given, 0.4)
    assert plan.online.indicator == Probe()
    assert plan.ranges[0].start == 1
    assert plan.schedule.table(given.timeline).computed("attention") == (*range(10), 49)
    assert plan.predictor == Blended()


def test_recorded_changes_add_up():
    plan = DICACHE.plan(sampling(0.1), 0.35)
    computed = plan.schedule.table(Timeline.even(STEPS)).computed("attention")
    assert computed == (0, 1, 2, 3, 7, 11, 15, 19)


def test_the_blend_keeps_a_sum_of_one():
    assert Blended().blended(1.0) == (1.0, 0.0)
    assert Blended().blended(1.5) == (1.5, -0.5)


def test_a_u_net_is_told_to_learn():
    given = Sampling(Timeline.even(STEPS), Variant("UNetModel", lists=(("input_blocks", 12),)))
    with pytest.raises(ConfigError, match="learned on this model"):
        DICACHE.plan(given, 0.4)

"""CFG gate: both branches up to a fraction of the steps, and never again."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import CFG_GATE, Sampling, Variant, at_strength, reused_share
from cache_core.site import Kind
from cache_core.timeline import Timeline

SAMPLING = Sampling(Timeline.even(50), Variant("Flux"))


def computed(share, sampling=SAMPLING):
    return CFG_GATE.plan(sampling, share).schedule.table(sampling.timeline).computed(Kind.GUIDANCE)


@pytest.mark.parametrize(("share", "both"), [(0.5, 25), (0.3, 35), (0.4, 30), (0.02, 49)])
def test_the_last_share_of_the_steps_has_one_branch(share, both):
    assert computed(share) == tuple(range(both))


def test_a_step_of_one_branch_saves_half_an_evaluation():
    assert reused_share(CFG_GATE.plan(SAMPLING, 0.4), SAMPLING.timeline) == pytest.approx(0.2)


def test_the_strength_is_the_share_of_evaluations_up_to_a_half():
    for strength in (0.1, 0.25, 0.4):
        plan = CFG_GATE.plan(SAMPLING, at_strength(CFG_GATE, SAMPLING, strength))
        assert reused_share(plan, SAMPLING.timeline) == pytest.approx(strength, abs=0.011)
    most = CFG_GATE.plan(SAMPLING, at_strength(CFG_GATE, SAMPLING, 0.8))
    assert 0.4 < reused_share(most, SAMPLING.timeline) < 0.5


def test_few_steps_keep_the_first_one():
    assert computed(0.95, Sampling(Timeline.even(8))) == (0,)


def test_all_steps_without_the_branch_are_refused():
    with pytest.raises(ConfigError, match="gated share"):
        CFG_GATE.plan(SAMPLING, 1.0)

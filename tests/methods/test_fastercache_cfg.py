"""FasterCache's CFG-Cache: its steps, and its gains as published (METHODS_RELATED.md section 6)."""

import pytest

from cache_core.methods import FASTERCACHE_CFG, Sampling, Variant
from cache_core.schedule import format_steps
from cache_core.site import Kind
from cache_core.timeline import Timeline


def plan_for(name, steps, interval=5):
    sampling = Sampling(Timeline.even(steps), Variant(name))
    return FASTERCACHE_CFG.plan(sampling, interval), sampling.timeline


def gains(name, steps, at, computed):
    """Gains of the low band and of the rest at step `at`, of a difference computed at step `computed`."""
    plan, timeline = plan_for(name, steps)
    nodes = [timeline.sigmas[computed]]
    return [plan.predictor.of(place).weights(nodes, timeline.sigmas[at])[0] for place in range(3)]


@pytest.mark.parametrize(
    ("name", "steps", "interval", "computed"),
    [
        ("CogVideoXTransformer3DModel", 50, 5, "0-17,20,25,30,35,40,45"),
        ("AsymmDiTJoint", 64, 5, "0-21,25,30,35,40,45,50,55,60,63"),
        ("OpenSora", 30, 5, "0-11,15,20,25"),
        ("Latte", 50, 5, "0-17,20,25,30,35,40,45"),
        ("OpenSoraPlan", 150, 6, "0-39,42,48,54,60,66,72,78,84,90,96,102,108,114,120,126,132,138,144"),
        ("WanModel", 30, 5, "0-10,15,20,25"),  # the paper's: from a third on
    ],
)
def test_every_nth_step_computes_both_branches_from_the_window_on(name, steps, interval, computed):
    plan, timeline = plan_for(name, steps, interval)
    assert format_steps(plan.schedule.table(timeline).computed(Kind.GUIDANCE)) == computed


def test_the_paper_amplifies_coarse_first_and_fine_later_by_a_fifth():
    assert gains("WanModel", 30, at=13, computed=10) == [1.2, 1.0, 1.0]
    assert gains("WanModel", 30, at=17, computed=15) == [1.0, 1.2, 1.0]


@pytest.mark.parametrize(("at", "skipped"), [(21, 1), (22, 2), (24, 4)])
def test_the_released_gain_compounds_over_the_skipped_steps(at, skipped):
    low, rest, whole = gains("CogVideoXTransformer3DModel", 50, at, computed=20)
    assert (low, rest, whole) == (pytest.approx(1.1**skipped), 1.0, 1.0)


def test_where_the_windows_overlap_both_bands_are_amplified_and_outside_one():
    assert gains("CogVideoXTransformer3DModel", 50, 37, 35)[:2] == [pytest.approx(1.21)] * 2
    assert gains("CogVideoXTransformer3DModel", 50, 47, 45)[:2] == [1.0, pytest.approx(1.21)]


def test_the_windows_keep_their_share_of_the_steps():
    assert gains("AsymmDiTJoint", 32, 12, 10)[:2] == [pytest.approx(1.15**2), 1.0]
    assert gains("AsymmDiTJoint", 32, 17, 15)[:2] == [pytest.approx(1.15**2), pytest.approx(1.25**2)]

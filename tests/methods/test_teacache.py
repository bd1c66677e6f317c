"""TeaCache: the published rule on changes that are known (METHODS_RELATED.md section 1)."""

import math

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import TEACACHE, Sampling, Variant, at_strength, reused_share
from cache_core.methods.entries import interpolated, shares_of
from cache_core.methods.published import published
from cache_core.methods.teacache import Polynomial, rule
from cache_core.schedule import Modulated, Online
from cache_core.site import Kind
from cache_core.timeline import Timeline
from tests.methods.profiles import profile

STEPS = 20
LINE = Timeline.even(STEPS)
FLUX, WAN, SMALL_WAN = Variant("Flux", 3072, 64), Variant("WanModel", 5120, 16), Variant("WanModel", 1536, 16)
CHANGES = (0.0, *(0.02 + 0.004 * step for step in range(1, STEPS)))


def wan(threshold, changes=CHANGES, variant=SMALL_WAN):
    plan = TEACACHE.plan(Sampling(LINE, variant, time_changes=changes), threshold)
    return plan.schedule.table(LINE).computed(Kind.MLP)


def test_the_polynomial_is_the_published_one_by_its_terms():
    a, b, c, d, e = published()["teacache_poly4_high_to_low"]["flux,tangoflux"]
    x = 0.137
    assert Polynomial((a, b, c, d, e))(x, 3, 0) == pytest.approx(a * x**4 + b * x**3 + c * x**2 + d * x + e)


def test_it_is_negative_where_it_was_released_so_or_clamped():
    wan_14b = tuple(published()["teacache_poly4_high_to_low"]["wan2.1_t2v_14B"])
    assert Polynomial(wan_14b)(0.0, 1, 0) == pytest.approx(-13.02252404)
    assert Polynomial(wan_14b, clamped=True)(0.0, 1, 0) == 0.0


def test_on_flux_even_no_change_at_all_is_refreshed_by_the_constant():
    own = rule(Sampling(LINE, FLUX), 0.25)
    table = own.replayed((0.0,) * STEPS, LINE)
    assert table.computed(Kind.MLP) == tuple(range(STEPS))  # 0.264 is above 0.25


def test_where_the_indicator_is_the_time_alone_the_table_is_known_and_is_that_of_the_rule_online():
    for threshold in (0.05, 0.2, 0.5):
        sampling = Sampling(LINE, SMALL_WAN, time_changes=CHANGES)
        online = rule(sampling, threshold)
        total, computed = 0.0, []
        for step, change in enumerate(CHANGES):
            total += online.curve(change, step, 0)
            if step in (0, STEPS - 1) or total >= threshold:
                computed, total = [*computed, step], 0.0
        assert wan(threshold) == tuple(computed)


def test_without_changes_all_is_computed():
    assert wan(0.2, ()) == wan(0.2, CHANGES[:0]) == tuple(range(STEPS))


def test_more_threshold_saves_more():
    shares = [len(wan(threshold)) for threshold in (0.01, 0.1, 1.0, 10.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == STEPS
    assert shares[-1] == 2


@pytest.mark.parametrize("variant", [FLUX, Variant("HunyuanVideo"), Variant("LTXVModel"), Variant("AsymmDiTJoint")])
def test_other_models_are_decided_online_by_the_first_blocks_input(variant):
    plan = TEACACHE.plan(Sampling(LINE, variant), 0.4)
    assert isinstance(plan.schedule, Online)
    assert plan.schedule.indicator == Modulated()
    assert plan.schedule.table(LINE).computed(Kind.MLP) == (0, STEPS - 1)
    assert plan.merge


@pytest.mark.parametrize(
    "variant", [Variant("Flux", 6144, 128), Variant("Chroma"), Variant("WanModel", 3072), Variant("HunyuanVideo", 2048)]
)
def test_a_model_without_a_polynomial_is_refused_and_told_to_learn(variant):
    with pytest.raises(ConfigError, match="learned on this model"):
        TEACACHE.plan(Sampling(LINE, variant), 0.1)
    assert TEACACHE.plan(Sampling(LINE, variant, profile=profile(LINE)), 0.1)


@pytest.mark.parametrize("given", [{"inside": False}, {"variant": Variant("Flux", looks=False)}])
def test_a_model_whose_first_block_cannot_be_read_is_refused(given):
    with pytest.raises(ConfigError, match="first block"):
        TEACACHE.plan(Sampling(LINE, **{"variant": FLUX, **given}), 0.1)


def test_the_time_alone_also_serves_a_model_whose_output_is_reused():
    hidream = Variant("HiDreamImageTransformer2DModel")
    plan = TEACACHE.plan(Sampling(LINE, hidream, inside=False, time_changes=CHANGES), 0.3)
    assert plan.kinds == {Kind.MODEL}
    assert plan.schedule.table(LINE).computed(Kind.MODEL)[:2] == (0, 1)  # a tenth at the start


def test_learned_it_sums_the_recorded_changes():
    sampling = Sampling(LINE, FLUX, profile=profile(LINE, change=0.1))
    plan = TEACACHE.plan(sampling, 0.35)
    assert plan.schedule.table(LINE).computed(Kind.MLP) == (0, 4, 8, 12, 16, 19)
    for strength in (0.45, 0.6, 0.7):
        learned = TEACACHE.plan(sampling, at_strength(TEACACHE, sampling, strength))
        assert reused_share(learned, LINE) == pytest.approx(strength, abs=0.05)


def test_as_released_a_strength_is_on_the_line_through_the_published_speed_ups():
    sampling = Sampling(LINE, FLUX)
    for threshold, speed in ((0.25, 1.5), (0.4, 1.8), (0.6, 2.0), (0.8, 2.25)):
        assert at_strength(TEACACHE, sampling, 1 - 1 / speed) == pytest.approx(
            threshold, rel=0.025
        )  # a step of the grid
    between = at_strength(TEACACHE, sampling, 0.48)
    assert 0.4 < between < 0.6


def test_the_line_goes_through_nothing_its_pairs_and_on():
    pairs = shares_of([(0.1, 1.25), (0.2, 2.0)])
    assert [interpolated(pairs, x) for x in (0.0, 0.05, 0.1, 0.15, 0.2)] == pytest.approx([0, 0.1, 0.2, 0.35, 0.5])
    assert interpolated(pairs, 0.3) == pytest.approx(0.8)
    assert interpolated(pairs, math.inf) == 1.0

"""DBCache and FBCache: which blocks they reuse, and when, by recorded curves."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import DBCACHE, FBCACHE, Profile, Sampling, Variant, at_strength, reused_share
from cache_core.methods.dbcache import near
from cache_core.methods.fnbn import between
from cache_core.methods.profile import AHEAD
from cache_core.schedule import Added, Online
from cache_core.settings.method import TOO_SLOW, MethodSettings
from cache_core.site import Range
from cache_core.timeline import Timeline

FLUX = (("double_blocks", 19), ("single_blocks", 38))
STEPS = 20


def profile(rate, steps=STEPS):
    """Outputs that change by `rate` in each step."""
    ahead = tuple(tuple(rate * m if i + m < steps else float("inf") for i in range(steps)) for m in range(1, AHEAD + 1))
    return Profile(tuple(range(steps, 0, -1)), (1.0,) * steps, (rate,) * steps, (rate,) * steps, ahead)


def sampling(rate=0.01, lists=FLUX):
    return Sampling(Timeline.even(STEPS), Variant("Flux", lists=lists), profile=profile(rate))


@pytest.mark.parametrize(
    ("first", "last", "ranges"),
    [
        (8, 0, (Range("double_blocks", 8, 19), Range("single_blocks", 0, 38))),
        (1, 0, (Range("double_blocks", 1, 19), Range("single_blocks", 0, 38))),
        (20, 8, (Range("single_blocks", 1, 30),)),
        (0, 40, (Range("double_blocks", 0, 17),)),
        (0, 0, (Range("double_blocks", 0, 19), Range("single_blocks", 0, 38))),
        (30, 30, ()),
    ],
)
def test_first_and_last_blocks_are_counted_over_all_lists(first, last, ranges):
    assert between(FLUX, first, last) == ranges


def test_reused_while_near_the_step_computed_last():
    assert near(profile(0.03), 0.08, 4) == (0, 1, 2, 3, 6, 9, 12, 15, 18)
    assert near(profile(0.03), 0.03, 4) == tuple(range(STEPS))
    assert near(profile(0.0), 0.08, 0) == (0, 6, 12, 18)


def test_the_released_blocks_run_at_every_step():
    assert DBCACHE.plan(sampling(), 0.08).ranges == between(FLUX, 8, 0)
    assert FBCACHE.plan(sampling(), 0.08).ranges == between(FLUX, 1, 0)


def test_a_small_model_keeps_a_third():
    assert DBCACHE.plan(sampling(lists=(("double_blocks", 3), ("single_blocks", 6))), 0.08).ranges == (
        Range("single_blocks", 0, 6),
    )


def test_the_warm_up_is_computed():
    computed = DBCACHE.plan(sampling(0.0), 0.08).schedule.table(Timeline.even(STEPS)).computed("attention")
    assert computed[:6] == tuple(range(6))  # a third of 20: the released 8 are for 28 and more
    assert FBCACHE.plan(sampling(0.0), 0.08).schedule.table(Timeline.even(STEPS)).computed("attention")[:2] == (0, 6)


@pytest.mark.parametrize("method", [DBCACHE, FBCACHE], ids=lambda method: method.name)
def test_the_strength_counts_the_blocks_that_run_at_every_step(method):
    given = sampling(0.01)
    plan = method.plan(given, at_strength(method, given, 0.4))
    saved = reused_share(plan, given.timeline)
    share = given.variant.share(plan.ranges)
    assert share == pytest.approx((57 - (8 if method is DBCACHE else 1)) / 57)
    assert saved * share == pytest.approx(0.4, abs=0.1)


def test_without_a_picture_the_first_blocks_decide_during_the_run():
    given = Sampling(Timeline.even(28), Variant("Flux", lists=FLUX))
    plan = DBCACHE.plan(given, 0.08)
    assert isinstance(plan.online, Online)
    assert plan.online.indicator == Added()
    assert plan.schedule.table(given.timeline).computed("attention") == tuple(range(8))


def test_the_estimate_is_by_the_published_times():
    given = Sampling(Timeline.even(28), Variant("Flux", lists=FLUX))
    assert FBCACHE.share(given, 0.12) == pytest.approx(1 - 13.78 / 26.36)
    assert FBCACHE.share(sampling(), 0.12) is None
    assert 0.08 < at_strength(FBCACHE, given, 0.4) < 0.12


@pytest.mark.parametrize("given", [{"inside": False}, {"variant": Variant("UNetModel", lists=(("input_blocks", 12),))}])
def test_a_model_whose_first_blocks_cannot_be_read_is_told_to_learn(given):
    timeline = Timeline.even(STEPS)
    with pytest.raises(ConfigError, match="learned on this model"):
        DBCACHE.plan(Sampling(timeline, **given), 0.08)
    assert DBCACHE.plan(Sampling(timeline, **given, profile=profile(0.01)), 0.08)


@pytest.mark.parametrize(
    ("text", "first", "last"), [('{"Fn": 8, "Bn": 8}', 8, 8), ('{"Bn": 4}', 8, 4), ('{"Fn": 1}', 1, 0)]
)
def test_the_last_blocks_run_at_every_step_too_where_schedule_says_so(text, first, last):
    given = Sampling(Timeline.even(28), Variant("Flux", lists=FLUX), given=text)
    assert DBCACHE.plan(given, 0.08).ranges == between(FLUX, first, last)
    settings = MethodSettings("DBCache", 0.4, variant=given.variant, schedule=text)
    assert settings.plan(given.timeline).online.threshold == settings.threshold_at(given.timeline)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("8", "with Fn from 1 and Bn from 0"),
        ('{"Fn": 0}', "with Fn from 1 and Bn from 0"),
        ('{"Mn": 3}', "with Fn from 1 and Bn from 0"),
        ('{"Fn": "8"}', "with Fn from 1 and Bn from 0"),
        ('{"Fn": 30, "Bn": 27}', "none of this model's 57 blocks"),
    ],
)
def test_another_schedule_is_refused(text, says):
    with pytest.raises(ConfigError, match=says):
        MethodSettings("DBCache", variant=Variant("Flux", lists=FLUX), schedule=text)
    with pytest.raises(ConfigError, match="FBCache takes no schedule"):
        MethodSettings("FBCache", variant=Variant("Flux", lists=FLUX), schedule=text)


def test_a_small_model_with_too_few_blocks_between_says_so():
    small = Variant("Flux", lists=(("double_blocks", 3), ("single_blocks", 6)))
    few = MethodSettings("DBCache", 0.5, variant=small, schedule='{"Fn": 4, "Bn": 3}')
    assert few.plan(Timeline.even(28)).notes == (TOO_SLOW,)
    assert MethodSettings("DBCache", 0.5, variant=small).plan(Timeline.even(28)).notes == ()

"""ProfilingDiT: full steps, and ranges of blocks (METHODS_RELATED.md section 8)."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import PROFILINGDIT, Sampling, Variant
from cache_core.methods.profilingdit import full_steps, ranges_of
from cache_core.settings.method import TOO_SLOW, MethodSettings
from cache_core.site import Range
from cache_core.timeline import Timeline

HUNYUAN = Variant("HunyuanVideo", 3072, 16, lists=(("double_blocks", 20), ("single_blocks", 40)))


def test_the_published_steps():
    assert full_steps(50) == (0, 1, 2, 3, 4, 5, 6, 12, 18, 24, 30, 36, 42, 48)


def test_compute_of_a_list_with_24_of_40_blocks_reused():
    share = Variant(lists=(("single_blocks", 40),)).share(ranges_of({"single_blocks": [*range(24)]}))
    full = len(full_steps(50))
    assert (50 - (50 - full) * share) / 50 == pytest.approx(0.568)


def test_neighbours_are_one_range():
    assert ranges_of({"a": [7, 0, 2, 5, 4, 6, 4], "b": [3]}) == (
        Range("a", 0, 1),
        Range("a", 2, 3),
        Range("a", 4, 8),
        Range("b", 3, 4),
    )


@pytest.mark.parametrize("wrong", [[-1], [1.5], ["2"], [True]])
def test_places_are_whole_numbers(wrong):
    with pytest.raises(ConfigError, match="whole numbers"):
        ranges_of({"a": wrong})


def plan(variant, interval=6, steps=50, **more):
    return PROFILINGDIT.plan(Sampling(Timeline.even(steps), variant, **more), interval)


def test_the_released_plan_of_hunyuan_video():
    """14 full steps of 50; its single blocks compute 56.8 % of the uncached run."""
    found = plan(HUNYUAN)
    assert found.schedule.table(Timeline.even(50)).full_steps() == full_steps(50)
    assert found.ranges[0] == Range("double_blocks", 6, 20)
    singles = [part for part in found.ranges if part.path == "single_blocks"]
    share = Variant(lists=(("single_blocks", 40),)).share(tuple(singles))
    assert (14 + 36 * (1 - share)) / 50 == pytest.approx(0.568)
    assert HUNYUAN.share(found.ranges) == pytest.approx(38 / 60)


def test_the_released_plan_of_wan():
    wan = Variant("WanModel", 5120, 16, lists=(("blocks", 40),))
    assert wan.share(plan(wan).ranges) == pytest.approx(28 / 40)


@pytest.mark.parametrize("variant", [Variant("Flux"), Variant("WanModel", 1536, 16, lists=(("blocks", 30),))])
def test_a_model_without_a_list_is_told_what_works(variant):
    with pytest.raises(ConfigError, match="Set curves to 'learned on this model'"):
        plan(variant)


def test_the_user_s_own_lists_count_for_any_model():
    flux = Variant("Flux", lists=(("double_blocks", 19), ("single_blocks", 38)))
    own = '{"single_blocks": [0, 1, 37]}'
    assert plan(flux, given=own).ranges == (Range("single_blocks", 0, 2), Range("single_blocks", 37, 38))
    assert plan(flux, 3, given=own).schedule.table(Timeline.even(50)).full_steps()[6:9] == (6, 9, 12)


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ("nothing", "JSON such as"),
        ("{}", "JSON such as"),
        ('{"blocks": [1]}', "single_blocks 0-39"),
        ('{"single_blocks": [40]}', "single_blocks 0-39"),
        ('{"single_blocks": 4}', "whole numbers"),
    ],
)
def test_other_lists_are_refused(own, says):
    with pytest.raises(ConfigError, match=says):
        plan(HUNYUAN, given=own)


def test_a_model_whose_blocks_cannot_be_told_apart_is_refused():
    for more in ({"inside": False}, {"variant": Variant("UNetModel", lists=(("input_blocks", 12),))}):
        with pytest.raises(ConfigError, match="Take FORA"):
            plan(**{"variant": HUNYUAN, **more})


def test_a_strength_that_the_blocks_do_not_reach_is_said():
    few = MethodSettings("ProfilingDiT", 0.6, variant=HUNYUAN, schedule='{"single_blocks": [0, 1]}')
    assert few.plan(Timeline.even(50)).notes == (TOO_SLOW,)
    released = MethodSettings("ProfilingDiT", 0.4, variant=HUNYUAN)
    assert released.plan(Timeline.even(50)).notes == ()
    assert released.threshold_at(Timeline.even(50)) == 4

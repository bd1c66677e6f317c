"""MagCache: replays of the published rule on the published lists (METHODS_RELATED.md section 2)."""

from dataclasses import replace

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import MAGCACHE, Sampling, Variant, at_strength, reused_share
from cache_core.methods.magcache import Released, accumulated, curves, released_for
from cache_core.schedule import format_steps
from cache_core.site import Kind
from cache_core.timeline import Timeline

FLUX, HUNYUAN_VIDEO = Variant("Flux"), Variant("HunyuanVideo")
WAN, SMALL_WAN = Variant("WanModel", 5120, 16), Variant("WanModel", 1536, 16)
DIFFUSERS = {"threshold": 0.06, "most": 3, "retention": 0.2, "never": -1}


def replay(variant, steps, **changes):
    """Computed steps of each branch, as text."""
    released = replace(released_for(variant), **changes)
    return {format_steps(accumulated(c, released.threshold, released)) for c in curves(released, steps)}


@pytest.mark.parametrize(
    ("variant", "steps", "changes", "computed"),
    [
        (FLUX, 28, {}, "0-2,5,9,11,17,23,26"),
        (FLUX, 28, {"never": -1}, "0-2,5,9,15,21,26"),
        (FLUX, 50, {}, "0-4,6,9,13,17,20,26,32,38,44,47"),
        (FLUX, 50, {"never": -1}, "0-4,6,9,13,17,23,29,35,41,45,48"),
        (FLUX, 20, {}, "0-1,4,8,14,19"),
        (FLUX, 28, DIFFUSERS, "0-5,7,9,13,17,21,24,26-27"),
        (HUNYUAN_VIDEO, 50, {}, "0-9,12,15,18,22,25,29,33,38,43,46,48-49"),
        (HUNYUAN_VIDEO, 50, {"threshold": 0.24, "most": 6}, "0-9,14,18,23,29,34,41,46,48-49"),
        (WAN, 50, {}, "0-9,16,23,30,36,41,44,47,49"),
        (SMALL_WAN, 50, {"most": 2}, "0-9,12,15,18,21,24,27,30,33,36,39,42,44,46,48-49"),
        (SMALL_WAN, 50, {}, "0-9,14,19,24,29,34,38,41,44,46,48-49"),
    ],
)
def test_the_published_lists_give_the_published_steps(variant, steps, changes, computed):
    assert replay(variant, steps, **changes) == {computed}


def test_where_nothing_grows_only_the_limit_counts():
    assert accumulated([1.0] * 12, 0.1, Released(most=2, retention=0.0)) == (0, 3, 6, 9)


def test_without_reuse_in_a_row_all_is_computed():
    assert accumulated([1.0] * 9, 0.1, Released(most=0)) == tuple(range(9))


def test_the_strength_is_the_share_of_evaluations_that_is_saved():
    sampling = Sampling(Timeline.even(20), FLUX)
    for strength in (0.2, 0.3, 0.5, 0.7):
        plan = MAGCACHE.plan(sampling, at_strength(MAGCACHE, sampling, strength))
        assert reused_share(plan, sampling.timeline) == pytest.approx(strength, abs=0.03)


def test_a_model_without_a_list_is_refused_and_told_to_learn():
    with pytest.raises(ConfigError, match="learned on this model"):
        MAGCACHE.plan(Sampling(Timeline.even(20), Variant("Lumina2")), 0.1)


def test_where_blocks_are_not_known_the_output_is_reused():
    plan = MAGCACHE.plan(Sampling(Timeline.even(20), FLUX, inside=False), 0.24)
    assert plan.kinds == {Kind.MODEL}

"""PromptTea's DynCFGCache: replays on the published codebooks (METHODS_RELATED.md section 7)."""

from dataclasses import replace

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import DYNCFG, Profile, Sampling, Variant
from cache_core.methods.dyncfg import accumulated
from cache_core.methods.profile import AHEAD
from cache_core.methods.published import published
from cache_core.schedule import format_steps
from cache_core.settings.method import LEARNED, ONE_BRANCH, MethodSettings
from cache_core.site import Kind
from cache_core.timeline import Timeline

PROFILE = Profile((1.0,) * 20, (1.0,) * 20, (0.0,) * 20, (0.0,) * 20, ((0.0,) * 20,) * AHEAD)


def table(sampling, threshold):
    return DYNCFG.plan(sampling, threshold).schedule.table(sampling.timeline)


@pytest.mark.parametrize(
    ("codebook", "threshold", "count", "computed"),
    [
        ("wan2.1", 0.02, 27, "0-10,12,14,16,18,20,22,24,26,28,31,34,37,40,43,46,49"),
        ("cogvideox1.5", 0.02, 33, "0-16,18,20,22,24,26,28,30,32,34,36,38,40,42,44,46,48"),
        ("wan2.2", 0.04, 33, "0-25,27,29,31,33,35,37,39"),
    ],
)
def test_the_published_codebooks_give_the_published_steps(codebook, threshold, count, computed):
    steps = accumulated(published()["prompttea_dcfg_codebook"][codebook], threshold)
    assert format_steps(steps) == computed
    assert len(steps) == count


def test_a_wan_goes_by_its_codebook_and_another_number_of_steps_by_the_nearest_values():
    wan = Sampling(Timeline.even(50), Variant("WanModel", 5120, 16))
    assert len(table(wan, 0.02).computed(Kind.GUIDANCE)) == 27
    few = table(replace(wan, timeline=Timeline.even(20)), 0.02).computed(Kind.GUIDANCE)
    assert 0.4 < len(few) / 20 < 0.7


def test_a_recorded_picture_is_gone_by_in_place_of_the_codebook():
    changes = (0.0, *(0.3, 0.1) * 9, 0.3)
    learned = Sampling(Timeline.even(20), Variant("WanModel"), profile=replace(PROFILE, guidance=changes))
    assert table(learned, 0.35).computed(Kind.GUIDANCE) == (0, *range(2, 20, 2))


def test_a_picture_without_guidance_has_no_branch_to_leave_out():
    bare = Sampling(Timeline.even(20), Variant("WanModel"), profile=PROFILE)
    with pytest.raises(ConfigError, match="cfg above 1"):
        DYNCFG.plan(bare, 0.02)
    plan = MethodSettings("PromptTea DynCFG", curves=LEARNED, profile=PROFILE).plan(Timeline.even(20))
    assert plan.schedule.table(Timeline.even(20)).work == 20
    assert plan.notes == (ONE_BRANCH,)


def test_a_model_without_a_codebook_is_refused_and_told_to_learn():
    with pytest.raises(ConfigError, match="learned on this model"):
        DYNCFG.plan(Sampling(Timeline.even(20), Variant("Lumina2")), 0.02)

"""Steps chosen for video and sound alike: sound that drifts too far counts more in the next plan."""

from dataclasses import replace

import pytest

from cache_core import Timeline
from cache_core.saved_plan.saved_plan import Origin, model_plan


@pytest.fixture
def fairest(pack):
    return __import__(f"{pack.__name__}.nodes.comfy.learning", fromlist=["learning"]).fairest


def planned_with(*drifts):
    """A maker of plans with these drifts of video and sound, one after the other; and the shares that it was given."""
    asked, left = [], iter(drifts)

    def planned(shares):
        asked.append(list(shares))
        video, audio = next(left)
        plan = model_plan((0, 3, 7), Timeline.even(8).sigmas, Origin("Clip"), drift=max(video, audio))
        return replace(plan, drifts=(("video", video), ("audio", audio)))

    return planned, asked


def test_a_fair_plan_is_taken_at_once(fairest):
    planned, asked = planned_with((0.01, 0.02))
    assert fairest(planned, 2).drift == 0.02
    assert asked == [[]]


def test_sound_that_drifts_too_far_counts_more_and_the_better_plan_is_kept(fairest):
    planned, asked = planned_with((0.01, 0.05), (0.02, 0.03))
    assert fairest(planned, 2).drift == 0.03
    assert asked == [[], [1.0, pytest.approx(5.0)]]


def test_after_two_more_plans_the_best_is_taken(fairest):
    planned, asked = planned_with((0.01, 0.05), (0.01, 0.06), (0.01, 0.04))
    assert fairest(planned, 2).drift == 0.04
    assert len(asked) == 3


@pytest.mark.parametrize("drifts", [(0.0, 0.01), (float("inf"), 0.01), (0.01, float("inf"))])
def test_a_video_that_does_not_drift_and_a_sampling_that_is_lost_raise_nothing(fairest, drifts):
    planned, _ = planned_with(drifts, (0.0, 0.0), (0.0, 0.0))
    assert fairest(planned, 2).drift in (max(drifts), 0.0)


def test_a_latent_that_is_one_has_one_plan(fairest):
    planned, asked = planned_with((0.01, 0.05))
    fairest(planned, 0)
    assert len(asked) == 1

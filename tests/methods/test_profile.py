"""Profiles: the curve of the guidance, and files of before there was one."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from cache_core.calibrate import Recorder
from cache_core.errors import ConfigError
from cache_core.methods import Profile
from cache_core.timeline import Timeline

LINE = Timeline.even(8)


def recorded(apart=lambda step: 2.0**step, branches=True, untold=()):
    """A profile of outputs that stay, whose branches are `apart` by a factor at each step."""
    recorder, value = Recorder(LINE, branches=branches), torch.arange(1.0, 25.0).view(1, 2, 3, 4)
    for step, sigma in enumerate(LINE.sigmas[:-1]):
        recorder.begin(sigma, value + step)
        if step not in untold:
            recorder.differed(apart(step) * value)
        recorder.end(value)
    return Profile.of(recorder.recording())


def test_the_guidance_is_the_relative_change_of_the_branches_difference():
    assert recorded().guidance == pytest.approx((0.0, *(1.0,) * 7))
    assert recorded(lambda step: 1 + 0.1 * step).guidance[1:3] == pytest.approx((0.1, 0.1 / 1.1))


@pytest.mark.parametrize("how", [{"branches": False}, {"untold": (7,)}, {"apart": lambda step: float("nan")}])
def test_without_all_differences_there_is_no_curve(how):
    profile = recorded(**how)
    assert profile.guidance == ()
    assert profile.growth == (1.0,) * 8


def test_a_profile_is_read_as_it_was_written_and_older_ones_too():
    profile = recorded()
    found = json.loads(json.dumps(asdict(profile)))
    assert Profile.from_json(found) == profile
    del found["guidance"]
    assert Profile.from_json(found).guidance == ()


@pytest.mark.parametrize("curve", ["growth", "change", "moved", "ahead", "means", "gains", "guidance"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_curve_with_what_is_no_number_is_refused(curve, number):
    found = json.loads(json.dumps(asdict(recorded())))
    row = found[curve]
    while isinstance(row[0], list):
        row = row[0]
    row[-1 if curve == "guidance" else 0] = number
    if curve == "ahead" and number == float("inf"):  # as beyond the end
        assert Profile.from_json(found).ahead[0][0] == number
    else:
        with pytest.raises(ConfigError, match="some of these are none"):
            Profile.from_json(found)


def test_a_profile_is_of_the_sampling_that_it_was_recorded_in_alone():
    recorded().check_of(LINE)
    for other in (Timeline.even(7), Timeline.even(9), replace(LINE, sigmas=tuple(s**2 for s in LINE.sigmas))):
        with pytest.raises(ConfigError, match="another sampling"):
            recorded().check_of(other)


@pytest.mark.parametrize("guidance", [[0.0, 1.0], 7, ["a"] * 8, None])
def test_a_curve_of_the_guidance_that_is_none_is_refused(guidance):
    found = json.loads(json.dumps(asdict(recorded()))) | {"guidance": guidance}
    with pytest.raises(ConfigError):
        Profile.from_json(found)

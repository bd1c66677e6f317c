"""SeaCache: its rule, its quirk, and where it is refused. The filter itself: tests/engine/test_readings.py."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import SEACACHE, Sampling, Variant, at_strength
from cache_core.schedule import Filtered, Online
from cache_core.site import Kind
from cache_core.timeline import Timeline

LINE = Timeline.even(20)
FLUX = Variant("Flux", 3072, 64)


def test_it_reads_the_filtered_input_by_the_power_of_pictures_or_of_video():
    for variant, beta in ((FLUX, 2.0), (Variant("HunyuanVideo"), 3.0)):
        schedule = SEACACHE.plan(Sampling(LINE, variant), 0.3).schedule
        assert isinstance(schedule, Online)
        assert schedule.indicator == Filtered(beta, forced_too=False)
        assert schedule.table(LINE).computed(Kind.MLP) == (0, 19)
        assert schedule.after(0.1, 0.2, 3, 1) == pytest.approx(0.3)  # no polynomial


def test_a_strength_is_on_the_line_through_the_published_speed_ups_and_the_last_one_goes_on():
    for threshold, speed in ((0.3, 2.13), (0.6, 3.25), (0.8, 4.12)):
        assert at_strength(SEACACHE, Sampling(LINE, FLUX), 1 - 1 / speed) == pytest.approx(threshold, rel=0.025)


def test_it_goes_by_no_curves_so_nothing_is_recorded_for_it():
    assert not SEACACHE.curves


@pytest.mark.parametrize(
    ("given", "instead"),
    [
        ({"inside": False}, "EasyCache"),
        ({"variant": Variant("Flux", looks=False)}, "EasyCache"),
        ({"variant": Variant("NextDiT")}, "TeaCache"),
    ],
)
def test_a_model_without_an_input_on_a_grid_is_refused_and_told_what_works(given, instead):
    with pytest.raises(ConfigError, match=f"Take {instead}"):
        SEACACHE.plan(Sampling(LINE, **{"variant": FLUX, **given}), 0.3)

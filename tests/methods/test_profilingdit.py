"""ProfilingDiT: full steps, and ranges of blocks (METHODS_RELATED.md section 8)."""

import pytest

from cache_core.errors import ConfigError
from cache_core.methods import Variant
from cache_core.methods.profilingdit import full_steps, least, ranges_of
from cache_core.site import Range


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


def test_the_blocks_that_displace_least_are_reused():
    displaced = {("a", 0): 3.0, ("a", 1): 0.1, ("a", 2): 0.2, ("b", 0): 0.3, ("b", 1): 9.0}
    assert least(displaced, 0.6) == (Range("a", 1, 3), Range("b", 0, 1))
    assert least(displaced, 0.0) == ()

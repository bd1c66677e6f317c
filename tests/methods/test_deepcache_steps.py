"""DeepCache's lists of steps: replays of the released rule (METHODS_RELATED.md section 5)."""

import pytest

from cache_core.methods.deepcache import steps_of


@pytest.mark.parametrize(
    ("steps", "interval", "power", "centre", "computed"),
    [
        (50, 5, 1.4, 15, [0, 5, 9, 13, 17, 21, 26, 31, 37, 43]),
        (50, 5, 1.5, 10, [0, 4, 7, 10, 14, 19, 24, 30, 36, 43]),
        (50, 3, 1.4, 15, [0, 3, 6, 8, 11, 13, 15, 17, 20, 22, 25, 28, 32, 35, 38, 42, 46]),
        (30, 3, 1.4, 15, [0, 4, 7, 10, 13, 15, 17, 20, 23, 26]),
        (20, 3, 1.4, 15, [0, 4, 8, 11, 14, 15, 17]),
        (50, 5, 0.0, 15, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]),
        (7, 3, 0.0, 15, [0, 3, 6]),
    ],
)
def test_the_released_rule_gives_the_published_steps(steps, interval, power, centre, computed):
    assert list(steps_of(steps, interval, power, centre)) == computed


@pytest.mark.parametrize("power", [0.0, 1.4, 1.5])
def test_every_list_is_of_the_sampling_and_has_no_fewer_steps_than_the_interval_says(power):
    for steps in (8, 20, 28, 50):
        for interval in range(1, steps + 1):
            for centre in (0, 10, 15, 60):
                found = steps_of(steps, interval, power, centre)
                assert list(found) == sorted(set(found))
                assert found[0] == 0
                assert found[-1] < steps
                assert len(found) >= -(-steps // interval)


def test_interval_1_computes_every_step():
    assert steps_of(20, 1, 1.4) == tuple(range(20))

"""The soak's judge finds what it is there to find."""

import pytest

from tests.stress.soak import FAMILIES, LEARNS, SETTINGS, UNCACHED, failures, memory, order

PLAIN = {"family": "flux", "setting": UNCACHED, "sha256": "a", "finite": True}
LEARNED = {**PLAIN, "setting": LEARNS}
REFUSED = {"family": "flux", "setting": "refused", "error": "pack.errors.ConfigError", "text": "two caches"}


def rows(*given):
    return [{"prompt": number, **row} for number, row in enumerate(given)]


def test_results_that_repeat_are_no_failures():
    assert failures(rows(LEARNED, PLAIN, {**LEARNED, "sha256": "b"}, REFUSED, PLAIN, {**LEARNED, "sha256": "b"})) == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ((PLAIN, {**PLAIN, "sha256": "b"}), "prompt 1: flux, uncached differs"),
        ((PLAIN, {**LEARNED, "sha256": "b"}), "differs"),
        ((PLAIN, LEARNED, {**LEARNED, "sha256": "b"}, {**LEARNED, "sha256": "c"}), "prompt 3"),
        (({**PLAIN, "finite": False},), "not finite"),
        (({**REFUSED, "setting": UNCACHED},), "two caches"),
        (({**PLAIN, "setting": "refused"},), "not refused"),
        (({**REFUSED, "error": "KeyError"},), "not refused"),
    ],
)
def test_a_result_that_differs_fails_or_is_not_refused_is_named(given, reason):
    found = failures(rows(*given))
    assert len(found) == 1
    assert reason in found[0]


def test_memory_that_grows_is_told_in_per_cent_and_the_warm_up_is_left_out():
    megabytes = [999] * 10 + [100 + i for i in range(40)]
    found = memory([{"bytes": size * 2**20} for size in megabytes], 10)
    assert (found["first_quarter_mb"], found["last_quarter_mb"], found["largest_mb"]) == (104.5, 134.5, 139)
    assert found["growth_percent"] == pytest.approx(28.71)


def test_each_round_has_every_pair_once_and_none_follows_itself():
    pairs = len(FAMILIES) * len(SETTINGS)
    chosen = list(order(3 * pairs))
    assert all(len(set(chosen[i * pairs : (i + 1) * pairs])) == pairs for i in range(3))
    assert all(a != b for a, b in zip(chosen, chosen[1:], strict=False))
    assert list(order(10)) == chosen[:10]

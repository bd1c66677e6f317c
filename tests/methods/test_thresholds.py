"""Thresholds of all methods: what is tried for a strength is in range."""

import pytest

from cache_core.methods import METHODS


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_threshold_that_is_tried_is_allowed(method):
    # Was wrong once (methods/method.py, Threshold.grid): rounding takes the last one past the most.
    threshold = method.threshold
    assert threshold.least <= min(threshold.grid) <= threshold.default <= max(threshold.grid) <= threshold.most

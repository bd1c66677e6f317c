"""Exposure bias: the size of the predicted noise, and the scale that matches it."""

import pytest
import torch

from cache_core import NoiseScale, Timeline
from cache_core.calibrate.recording import Recording
from lab.exposure import fit_scale, flow_alpha, noise_sizes


def test_the_noise_of_a_flow_state_is_found_from_state_and_velocity():
    clean, noise = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))
    timeline = Timeline.flow((0.9, 0.5, 0.1, 0.0))
    states = torch.stack([(1 - s) * clean + s * noise for s in timeline.times])
    sizes = noise_sizes(Recording.of(timeline, states, (noise - clean).expand(3, -1)))
    assert sizes == pytest.approx([float(noise.square().mean().sqrt())] * 3, rel=1e-4)
    assert flow_alpha(0.25) == 0.75


@pytest.mark.parametrize(("high", "low"), [(0.98, 0.96), (1.02, 1.03), (1.0, 1.0)])
def test_the_scale_is_found_whichever_its_sign(high, low):
    times = [1 - i / 20 for i in range(20)]
    uncached = [[1.0 + 0.01 * i + sample for i in range(20)] for sample in (0.0, 0.1)]
    cached = [
        [size / NoiseScale(high, low).factor(t) for size, t in zip(sizes, times, strict=True)] for sizes in uncached
    ]
    found = fit_scale(cached, uncached, times)
    assert (found.high, found.low) == pytest.approx((high, low), abs=2e-5)

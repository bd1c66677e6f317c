"""Displacement by reuse in each gap, as the trials of a calibration measured it, and the steps planned for it."""

from itertools import combinations

import numpy as np
import pytest
import torch
from cache_core.calibrate.steps import LONGEST, cheapest, first_gap, growth

from cache_core.calibrate.recording import Recording
from cache_core.calibrate.trials import Trials, anchors_of, refreshes, reuse_costs

STEPS = 9
NODES = tuple(1 - (i / STEPS) ** 1.2 for i in range(STEPS))
SIGNAL = tuple(1 - node for node in NODES)
WEIGHTS = tuple(np.diff([*NODES, 0.0]))


def trials(seed=0, refreshed=(0, 4)):
    generator = torch.Generator().manual_seed(seed)
    recording = Recording(NODES, WEIGHTS, torch.zeros(STEPS, 4), torch.ones(STEPS, 4))
    errors = torch.randn(STEPS, 4, generator=generator)
    return Trials(recording, anchors_of(STEPS, refreshed), errors, torch.zeros(STEPS, 2, 4, 4), torch.ones(STEPS, 4))


def displacement(found, start, end):
    """Squared displacement of one gap in one sample, from the definition."""
    moved = torch.zeros(4, dtype=torch.float64)
    for step in range(start + 1, end):
        distance = (NODES[start] - NODES[step]) / (NODES[found.anchors[step]] - NODES[step])
        moved += growth(SIGNAL)[step] * WEIGHTS[step] * distance * found.errors[step].double()
    return float(moved.square().sum())


def nearest(passes, start, end):
    """Passes whose anchors in the gap are nearest to its start."""
    apart = [sum(abs(found.anchors[step] - start) for step in range(start + 1, end)) for found in passes]
    return [found for found, distance in zip(passes, apart, strict=True) if distance == min(apart)]


@pytest.mark.parametrize("seed", range(3))
def test_a_gap_costs_the_mean_displacement_of_the_passes_whose_anchors_are_nearest(seed):
    passes = [trials(seed), trials(seed + 10, refreshes(STEPS, 2, 3)), trials(seed + 20)]
    begun, costs = reuse_costs(passes, SIGNAL)
    assert begun.shape == (first_gap(STEPS),)
    for start, end in combinations(range(STEPS), 2):
        near = nearest(passes, start, end)
        wanted = sum(displacement(found, start, end) for found in near) / len(near)
        assert costs[:, end - start - 1, start] == pytest.approx([wanted] * LONGEST, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [3, 5, 8])
def test_no_other_steps_displace_the_samples_less(seed, count):
    begun, costs = reuse_costs([trials(seed), trials(seed + 10, (0, 3))], SIGNAL)

    def cost(chosen):
        return sum(costs[0, end - start - 1, start] for start, end in zip(chosen, chosen[1:], strict=False))

    every = [(0, *middle, STEPS - 1) for middle in combinations(range(1, STEPS - 1), count - 2)]
    least = min(cost(chosen) for chosen in every if chosen[1] <= len(begun))
    chosen, total = cheapest(begun, costs, count)
    assert (len(chosen), chosen[0], chosen[-1]) == (count, 0, STEPS - 1)
    assert cost(chosen) == pytest.approx(total) == pytest.approx(least)


def test_errors_within_a_gap_may_cancel():
    found = trials()
    start, end = 1, 4
    scale = displacement(found, start, 3)
    factors = [growth(SIGNAL)[s] * WEIGHTS[s] * (NODES[1] - NODES[s]) / (NODES[0] - NODES[s]) for s in (2, 3)]
    found.errors[3] = -found.errors[2] * factors[0] / factors[1]
    _, costs = reuse_costs([found], SIGNAL)
    assert costs[0, end - start - 1, start] < 1e-9 < scale


def test_a_thousand_steps_are_planned():
    steps = 1000
    nodes = tuple(1 - i / steps for i in range(steps))
    recording = Recording(nodes, (-1 / steps,) * steps, torch.zeros(steps, 4), torch.ones(steps, 4))
    errors = torch.randn(steps, 4, generator=torch.Generator().manual_seed(0))
    found = Trials(recording, anchors_of(steps, refreshes(steps, 0)), errors, torch.zeros(1), torch.ones(1))
    chosen, _ = cheapest(*reuse_costs([found], [1 - node for node in nodes]), 400)
    assert (len(chosen), chosen[-1], max(np.diff(chosen)) <= LONGEST) == (400, steps - 1, True)

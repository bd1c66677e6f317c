"""The programme over the four states finds the table that displaces the sample least within its budget."""

from itertools import product

import pytest
import torch

from cache_core import MODULES, ConfigError, Kind
from cache_core.calibrate.candidates import by_programme
from cache_core.calibrate.recording import Recording
from cache_core.calibrate.refresh import Programme, nearest
from cache_core.calibrate.trials import STATES, Trials, refreshes
from cache_core.saved_plan.costs import Costs
from cache_core.schedule import Table

STEPS = 6
COSTS = Costs(0.6, 0.5, 0.25, 0.1)


def trials(seed=0, steps=STEPS, refreshed=None, errors=None):
    generator = torch.Generator().manual_seed(seed)
    nodes = tuple(1 - i / steps for i in range(steps))
    recording = Recording(nodes, (-1 / steps,) * steps, torch.zeros(steps, 4), torch.ones(steps, 4))
    refreshed = refreshes(steps, 0) if refreshed is None else refreshed
    anchors = tuple(max((s for s in refreshed if s < step), default=0) for step in range(steps))
    errors = torch.randn(steps, 3, 4, generator=generator) if errors is None else errors
    return Trials(recording, anchors, errors, torch.zeros(steps, 2, 4, 4), torch.ones(steps, 4))


def displacement(passes, table):
    """Squared norm of each gap's displacement, in sum, from the definition; a gap ends where everything is computed."""
    total, moved, start = 0.0, [0.0] * len(passes), 0
    last = dict.fromkeys(MODULES, 0)
    for step in range(1, len(table.rows) + 1):
        state = table.predicted(step) if step < len(table.rows) else frozenset()
        if not state:
            near = nearest(passes, start, step)
            total += sum(
                float(moved[i].square().sum()) for i, p in enumerate(passes) if p in near and torch.is_tensor(moved[i])
            )
            moved, start = [0.0] * len(passes), step
            last = dict.fromkeys(MODULES, step)
            continue
        last.update(dict.fromkeys(MODULES - state, step))
        for i, p in enumerate(passes):
            shares = p.shares(step, last[Kind.ATTENTION], last[Kind.MLP])
            moved[i] = moved[i] + p.recording.weights[step] * sum(
                s * e.double() for s, e in zip(shares, p.errors[step], strict=True)
            )
    return total


def all_tables(alone):
    states = (frozenset(), *(STATES if alone else (MODULES,)))
    for rows in product(states, repeat=STEPS - 1):
        yield Table(MODULES, (MODULES, *(MODULES - state for state in rows)))


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("speedup", [1.3, 1.8, 2.4])
def test_no_other_table_within_the_budget_displaces_the_sample_less(seed, speedup, alone):
    passes = [trials(seed), trials(seed + 10, refreshed=(0, 3))]
    chosen = Programme(passes, COSTS, alone).table(speedup)
    within = [
        t
        for t in all_tables(alone)
        if sum(COSTS.of(t.predicted(s), not alone) for s in range(STEPS)) <= STEPS / speedup + 1e-9
    ]
    assert COSTS.speedup(chosen) >= speedup
    least = min(displacement(passes, t) for t in within)
    assert displacement(passes, chosen) == pytest.approx(least, rel=1e-6)


def test_a_kind_whose_reuse_costs_nothing_is_reused_alone():
    errors = torch.randn(STEPS, 3, 4, generator=torch.Generator().manual_seed(1))
    errors[:, STATES.index(frozenset({Kind.MLP}))] = 0
    table = Programme([trials(errors=errors)], COSTS, True).table(1.5)
    assert {table.predicted(step) for step in range(1, STEPS)} <= {frozenset({Kind.MLP}), frozenset()}
    assert displacement([trials(errors=errors)], table) == 0


def test_errors_within_a_gap_may_cancel():
    errors = torch.ones(STEPS, 3, 4)
    errors[2::2] = -1
    table = Programme([trials(errors=errors)], COSTS, False).table(1.4)
    assert displacement([trials(errors=errors)], table) == pytest.approx(0, abs=1e-9)
    assert len(table.computed(Kind.MLP)) <= 4


def test_a_speed_up_beyond_reuse_is_refused_with_what_can_be_reached():
    with pytest.raises(ConfigError, match="can be reached"):
        Programme([trials()], COSTS, True).table(9.0)


def test_the_passes_whose_trials_are_as_old_as_they_would_be_speak_for_a_gap():
    first, second = trials(refreshed=(0, 4)), trials(1, refreshed=(0, 2))
    assert nearest([first, second], 0, 3) == [first, second]
    assert nearest([first, second], 0, 4) == [first]
    assert nearest([first, second], 2, 5) == [second]
    assert nearest([first, second], 4, 6) == [first]


@pytest.mark.parametrize(
    ("attention", "names"), [(0.3, ["planned, four states, order 2", "planned, four states, reuse"]), (0.99, [])]
)
def test_a_table_without_half_refreshes_is_left_to_the_merged_ones(attention, names):
    """With half refreshes as dear as whole ones, the best of the four-state tables has none."""
    errors = torch.randn(STEPS, 3, 4, generator=torch.Generator().manual_seed(1))
    errors[:, STATES.index(MODULES)] *= 5
    if not names:
        errors[:, : STATES.index(MODULES)] *= 50
    found = by_programme([trials(errors=errors)], Costs(attention, attention, 0.25, 0.1), True, 1.5)
    assert [candidate.name for candidate in found] == names


def test_a_thousand_steps_are_planned_and_the_programme_keeps_little_of_them():
    # Was wrong once (refresh.Programme): a dictionary of every step and unit of compute, made anew for every budget.
    programme = Programme([trials(3, 1000)], COSTS, False)
    least, came = programme._ways(20_000)
    assert sum(way.nbytes for way in came) + least.nbytes < 2**26
    table = programme.table(2.0)
    assert (len(table.rows), COSTS.speedup(table) >= 2.0) == (1000, True)

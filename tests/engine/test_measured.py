"""What one computed evaluation shows, against what later ones keep."""

import pytest
import torch
from toy import Bench, inputs, plan, toy, watch_stores

from cache_core import MODULES
from cache_core.site import Kind
from cache_core.store import Footprint, Rung

ROUGH = Footprint(whole=300, merged=100, window=60, eight_bit=0.25)  # an estimate that is far off
WARM = "###.#.#."  # the first evaluation keeps nothing


def seen(bench, samples=1, fraction_seen=1.0, evaluate=lambda bench: bench(*inputs(0))):
    """What the first evaluation shows."""
    bench.run.measured.open = True
    evaluate(bench)
    bench.run.measured.open = False
    return bench.run.measured.footprint(ROUGH, dict.fromkeys((*MODULES, Kind.BLOCKS), samples), fraction_seen)


def kept(bench, monkeypatch, evaluations=6):
    found = watch_stores(monkeypatch)
    for seed in range(1, evaluations):
        bench(*inputs(seed))
    return max(device for device, _ in found)


def bench_of(rung, order=1, marks=WARM):
    bench = Bench(toy(), plan(marks, order=order, merge=rung.merged))
    bench.run.store.ladder = (rung,)
    return bench


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("marks", [WARM, "#.#.#."], ids=["seen only", "kept, too"])
@pytest.mark.parametrize("rung", [Rung(), Rung(merged=True)], ids=str)
def test_what_was_seen_is_what_is_kept(rung, marks, order, monkeypatch):
    bench = bench_of(rung, order, marks)
    footprint = seen(bench, order)
    assert footprint.needs(rung).device == kept(bench, monkeypatch)


def test_sites_show_how_large_residuals_are_and_residuals_how_far_an_estimate_is_off():
    sites, residuals = seen(bench_of(Rung())), seen(bench_of(Rung(merged=True)))
    assert sites.merged == residuals.merged
    off = residuals.merged / ROUGH.merged
    assert (residuals.whole, residuals.window, residuals.eight_bit) == (round(300 * off), round(60 * off), 0.25)


def test_a_list_that_cannot_be_one_residual_counts_all_its_sites():
    bench = bench_of(Rung())
    before = seen(bench)
    bench.run.measured.lists = dict.fromkeys(bench.run.measured.lists, False)
    after = bench.run.measured.footprint(ROUGH, dict.fromkeys((*MODULES, Kind.BLOCKS), 1), 1.0)
    assert before.merged < after.merged == after.whole == before.whole


def test_two_blocks_must_fit_at_a_time():
    footprint = seen(bench_of(Rung()))
    assert footprint.whole / 4 <= footprint.window / 2 <= footprint.whole / 2  # of four blocks the largest


def test_conditionings_that_come_later_count_as_well():
    alone, half = seen(bench_of(Rung())), seen(bench_of(Rung()), fraction_seen=0.5)
    assert (half.whole, half.merged, half.window) == (2 * alone.whole, 2 * alone.merged, 2 * alone.window)


def test_conditionings_in_one_call_and_in_two_weigh_the_same():
    def together(bench):
        bench(
            *(torch.cat([x, x]) if isinstance(x, torch.Tensor) and len(x) == 1 else x for x in inputs(0)),
            conditionings=("a", "b"),
        )

    assert seen(bench_of(Rung()), evaluate=together).whole == 2 * seen(bench_of(Rung())).whole


def test_an_evaluation_that_is_not_looked_at_shows_nothing():
    bench = bench_of(Rung())
    bench(*inputs(0))
    assert not bench.run.measured

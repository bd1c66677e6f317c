"""What a plan is foreseen to keep, the rung that is chosen for a budget, and what is then really kept."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from toy import Bench, inputs, plan, prepare_runs, small_flux, toy, watch_stores

from cache_core import MODULES, report
from cache_core.hosts import HOSTS, match
from cache_core.mount import footprint, tokens
from cache_core.plan import outlook
from cache_core.store import Budget, Footprint, Rung
from cache_core.store.eight_bit import FP8
from lab.condition import condition
from lab.families import FAMILIES
from lab.flux import Flux, FluxConfig
from lab.sample import flow_sigmas, foresee, noise_of, sample

INF, MB, KB = float("inf"), 2**20, 2**10
SOME = Footprint(whole=1000, merged=100, window=200, eight_bit=0.25)
EVERY, MERGED, COARSER = Rung(), Rung(merged=True), Rung(merged=True, coarser=True)
AWAY, SMALL, BOTH = Rung(offloaded=True), Rung(eight_bit=True), Rung(offloaded=True, eight_bit=True)
SMALL_MERGED = Rung(merged=True, eight_bit=True)
TOGETHER, MIXED = "##.#.#..", "##m#a.#."


@pytest.mark.parametrize(
    ("rung", "device", "host"),
    [
        (EVERY, 1000, 0),
        (AWAY, 200, 1000),
        (SMALL, 250, 0),
        (BOTH, 50, 250),
        (MERGED, 100, 0),
        (Rung(merged=True, offloaded=True), 100, 100),
        (SMALL_MERGED, 25, 0),
        (COARSER, 100, 0),
    ],
    ids=str,
)
def test_a_rung_fits_from_what_it_needs_on(rung, device, host):
    assert SOME.needs(rung) == Budget(device, host)
    assert Budget(device, host).holds(SOME.needs(rung))
    assert not Budget(device - 1, host).holds(SOME.needs(rung))
    assert Budget(device, max(0, host - 1)).holds(SOME.needs(rung)) == (not host)


def test_the_least_is_what_the_smallest_rung_needs():
    assert SOME.least((EVERY, AWAY, SMALL)) == Budget(200, 1000)


def chosen(marks, device, host, merge=False):
    run = Bench(toy(), plan(marks, merge=merge)).run
    run.choose_rung(SOME, Budget(device, host))
    return None if run.demotions else run.store.rung


@pytest.mark.parametrize(
    ("marks", "device", "host", "rung"),
    [
        (TOGETHER, 1000, INF, EVERY),
        (TOGETHER, 999, INF, MERGED),
        (TOGETHER, 100, INF, MERGED),
        (TOGETHER, 99, INF, SMALL_MERGED),
        (TOGETHER, 25, 0, SMALL_MERGED),
        (TOGETHER, 24, INF, None),
        (MIXED, 1000, INF, EVERY),
        (MIXED, 999, 1000, AWAY),
        (MIXED, 200, 1000, AWAY),
        (MIXED, 199, INF, BOTH),
        (MIXED, 999, 999, SMALL),
        (MIXED, 250, 0, SMALL),
        (MIXED, 249, 250, BOTH),
        (MIXED, 50, 250, BOTH),
        (MIXED, 249, 249, COARSER),
        (MIXED, 49, INF, Rung(True, False, True, True)),
        (MIXED, 24, INF, None),
        ("##m#aa#", 250, 0, SMALL),
        ("##m#aa#", 249, 0, None),
    ],
)
def test_the_first_rung_that_fits_is_chosen(marks, device, host, rung):
    assert chosen(marks, device, host) == rung


def test_a_plan_that_merges_does_so_in_any_budget():
    rungs = [chosen(TOGETHER, device, 0, merge=True) for device in (INF, 100, 99, 24)]
    assert rungs == [MERGED, MERGED, SMALL_MERGED, None]
    assert chosen(MIXED, INF, 0, merge=True) == EVERY


def test_a_run_says_what_it_keeps_and_why():
    run = Bench(toy(), plan(MIXED)).run
    run.choose_rung(Footprint(6 * MB, MB, 2 * MB, 0.25), Budget(4 * MB, 8 * MB))
    wanted = (
        f"cache: 2.0 MB and 6.0 MB in host memory of 4.0 MB and 8.0 MB in host memory allowed: {AWAY} (6.0 MB "
        "would keep every output)"
    )
    assert run.notes == [wanted]


def test_a_plan_that_keeps_nothing_fits_any_budget_without_a_word():
    model = toy()
    bench = Bench(model, plan(""))
    bench.run.choose_rung(footprint(model, match(model), bench.run.table, 8, 0, 4), Budget(0, 0))
    assert not bench.run.demotions
    assert not any("cache" in note for note in bench.run.notes)


def test_single_sites_are_coded_as_int8_and_residuals_of_many_blocks_as_fp8():
    codes = [rung.form.codes for rung in (EVERY, MERGED, SMALL, SMALL_MERGED, BOTH)]
    assert codes == [None, None, torch.int8, FP8, torch.int8]


def test_a_run_without_room_computes_attention_and_mlp_and_says_why():
    bench = Bench(model := toy(), plan(TOGETHER))
    bench.run.choose_rung(SOME, Budget(24, 0))
    assert all(torch.equal(bench(*inputs(seed)), model(*inputs(seed), {})) for seed in range(6))
    assert (bench.run.store.peak_bytes, list(bench.run.store)) == (0, [])
    assert len(bench.run.demotions) == 1
    assert report(bench.run, "Toy", True).store == ""


def test_a_coarser_run_computes_where_its_table_predicts_one_kind():
    bench = Bench(model := toy(), plan("#m.a#."))
    bench.run.choose_rung(Footprint(10 * MB, MB, 2 * MB, 0.25), Budget(MB, 0))
    computed = [torch.equal(bench(*inputs(seed)), model(*inputs(seed), {})) for seed in range(10)]
    assert computed == [mark != "." for mark in "##.##.####"]
    assert outlook(bench.run.plans, bench.run.table) == "attention computed at 8, mlp computed at 8 of 10 steps"
    assert report(bench.run, "Toy", True).shares == pytest.approx({"attention": 0.8, "mlp": 0.8})


def test_the_report_of_a_merged_run_counts_attention_and_mlp_as_its_table_does():
    bench = Bench(toy(), plan("##.#..#.", order=2, merge=True))
    for seed in range(10):
        bench(*inputs(seed))
    done = report(bench.run, "Toy", True)
    assert done.shares == pytest.approx({"attention": 0.6, "mlp": 0.6})
    assert [row.state for row in done.rows] == ["reuse both" if mark == "." else "compute" for mark in "##.#..#.##"]
    for evaluation, row in zip(bench.run.evaluations, done.rows, strict=True):
        sites = 2 * 2 + 2 if row.state == "reuse both" else 0  # of two double blocks and two single ones
        assert [evaluation.predicted_calls[kind] for kind in MODULES] == [sites, sites]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("merge", [False, True], ids=["every site", "merged"])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_what_is_foreseen_for_a_lab_model_is_what_it_keeps(family, merge, order, monkeypatch):
    torch.manual_seed(0)
    model, noise, found = family.network(), noise_of([1], family.latents), watch_stores(monkeypatch)
    bench = Bench(model, plan("##.", order=order, merge=merge))
    bench.run.store.ladder = (MERGED if merge else EVERY,)
    foreseen = foresee(model, bench.run, noise, guidance=1.0)
    for _ in range(2):
        bench(noise, torch.ones(1), *condition(torch.tensor([3]), model.config.vector))
    wanted, kept = foreseen.merged if merge else foreseen.whole, max(device for device, _ in found)
    assert kept <= wanted <= kept * (1.05 if merge else 1.02)
    by_block = Counter()
    for key in bench.run.store:
        by_block[tuple(key[1].split(".")[:2])] += bench.run.store[key].device_bytes
    assert foreseen.window >= 2 * max(by_block.values())


def test_only_kinds_that_the_table_predicts_are_foreseen():
    model = small_flux()
    whole, both = (
        footprint(model, match(model), Bench(model, plan(marks)).run.table, 10, 0, 4) for marks in ("#m", "#.")
    )
    assert whole.whole == both.whole / 2 > 0
    assert footprint(model, match(model), Bench(model, plan("")).run.table, 10, 0, 4).whole == 0


@pytest.mark.parametrize(
    ("patch", "cells", "count"),
    [(None, 400, 100), (2, 400, 100), (1, 400, 400), ((1, 2, 2), 400, 100), ((1, 2, 2), 401, 101)],
)
def test_tokens_are_counted_by_the_models_patch_size_where_the_host_does_not_say(patch, cells, count):
    model, host = torch.nn.Module(), HOSTS[0]
    if patch:
        model.patch_size = patch
    assert tokens(model, host, cells) == count
    assert tokens(model, replace(host, cells=2), cells) == (cells + 1) // 2


def many_blocks():
    """A FLUX of 6 + 12 blocks, and noise and labels with which a plan of order 2 wants 6 MB."""
    torch.manual_seed(0)
    model = Flux(FluxConfig(hidden=32, heads=2, depth=6, depth_single=12, channels=4, axes=(4, 6, 6)))
    return model, noise_of(list(range(10)), (4, 16, 16)), torch.arange(10)


@pytest.mark.parametrize("host", [0, 2 * MB, INF], ids=["no host memory", "some", "any"])
@pytest.mark.parametrize("device", [4 * MB, MB, 100 * KB], ids=["4 MB", "1 MB", "100 KB"])
@pytest.mark.parametrize("marks", [TOGETHER, MIXED])
def test_a_plan_that_wants_6_mb_stays_within_its_budget(marks, device, host, monkeypatch):
    (model, noise, labels), plans = many_blocks(), (plan(marks, order=2),)
    runs, found = prepare_runs(monkeypatch, lambda run: None), watch_stores(monkeypatch)
    picture, told = sample(model, noise, labels, flow_sigmas(10), plans, budget=Budget(device, host))
    assert foresee(model, runs[0], noise, 1.0).whole / MB == pytest.approx(6, rel=0.05)
    assert picture.isfinite().all()
    assert told.finished
    assert told.demotions == ()
    assert 0 < max(kept for kept, _ in found) <= device
    assert max(away for _, away in found) <= host
    assert min(told.shares.values()) < 1
    assert list(runs[0].store.tensors()) == []
    if told.store == str(AWAY):
        assert max(kept for kept, _ in found) <= foresee(model, runs[0], noise, 1.0).window
        assert torch.equal(picture, sample(model, noise, labels, flow_sigmas(10), plans)[0])


def test_each_way_to_keep_less_is_found_for_some_budget():
    model, noise, _ = many_blocks()
    found = set()
    for marks in (TOGETHER, MIXED):
        for device in (8 * MB, 4 * MB, MB, 100 * KB):
            for host in (0, 2 * MB, INF):
                run = Bench(model, plan(marks, order=2)).run
                run.choose_rung(foresee(model, run, noise, 1.0), Budget(device, host))
                found.add(run.store.rung)
    assert found >= {EVERY, AWAY, SMALL, BOTH, MERGED, COARSER, SMALL_MERGED}


@pytest.mark.parametrize(
    ("marks", "device", "host"),
    [(TOGETHER, 4 * MB, 0), (TOGETHER, 100 * KB, 0), (MIXED, 4 * MB, INF), (MIXED, 4 * MB, MB)],
)
def test_a_run_that_keeps_more_than_was_foreseen_steps_down_and_stays_within_its_budget(
    marks, device, host, monkeypatch
):
    (model, noise, labels), found = many_blocks(), watch_stores(monkeypatch)
    tiny = Footprint(1, 1, 1, 1)
    runs = prepare_runs(monkeypatch, lambda run: run.choose_rung(tiny, Budget(device, host)))
    picture, told = sample(model, noise, labels, flow_sigmas(10), (plan(marks, order=2),))
    assert picture.isfinite().all()
    assert told.demotions
    assert all("the cache passed its budget at step" in said for said in told.demotions)
    assert max(kept for kept, _ in found) <= device
    assert max(away for _, away in found) <= host
    assert list(runs[0].store.tensors()) == []

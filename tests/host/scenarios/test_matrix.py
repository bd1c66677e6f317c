"""Every scenario, on every family, with both nodes: it ends, counts what it should, and leaves nothing behind."""

import json
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from comfy_models import applying
from scenarios.row import AB, FEB, NODES, NOTHING_REUSED, WAYS, Row, Way
from scenarios.rows import ROWS
from scenarios.scene import FAMILIES, Scene, scene
from scenarios.trace import SeenRun, Trace, traced

CLASSES = {FEB: "FEBCacheApply", AB: "ABCacheApply"}
BY_ID = {row.id: row for row in ROWS}
CELLS = [
    (row.id, family, node) for family in FAMILIES for row in ROWS for node in NODES if not row.reason(family, node)
]
MIN_STEPS = 8  # fewer are not cached, as the README says


def bare(model):
    """No node at all."""
    return model


class Applied:
    """The node as users have it, with its mailboxes."""

    def __init__(self, pack, node: str, widgets: dict):
        self.apply, self.widgets, self.mailboxes = applying(pack, CLASSES[node]), widgets, []

    def __call__(self, model):
        cached, mailbox = self.apply(model, **self.widgets)
        self.mailboxes.append(mailbox)
        return cached

    @property
    def reports(self) -> list:
        return [report for mailbox in self.mailboxes for report in mailbox.reports]


@lru_cache(maxsize=1)
def plainly(row_id: str, family: str, pack_name: str) -> tuple[list[torch.Tensor], Trace]:
    """The scenario without a cache, for both nodes of a family."""
    row = BY_ID[row_id]
    with traced(pack_name) as trace:
        return row.play(scene(family, row.dtype), bare), trace


@pytest.mark.parametrize(("row_id", "family", "node"), CELLS, ids=["-".join(cell) for cell in CELLS])
def test_cell(pack, row_id, family, node):
    row, here = BY_ID[row_id], scene(family, BY_ID[row_id].dtype)
    plain, bare_trace = plainly(row_id, family, pack.__name__)
    assert all(samples.isfinite().all() for samples in plain)
    if row.refused:
        refuse(pack, row, here, node)
    else:
        samples, uncached, _ = played_with(pack, row, here, node, NOTHING_REUSED[node])
        assert same(samples, plain)
        assert (uncached.calls, uncached.kernels) == (bare_trace.calls, bare_trace.kernels)
        for way in WAYS[node][: row.ways]:
            reuse(row, here, way, uncached, *played_with(pack, row, here, node, way.widgets))
    samples, _ = played(pack, row, here, bare)
    assert same(samples, plain)


def played(pack, row: Row, here: Scene, node) -> tuple[list[torch.Tensor], Trace]:
    """The scenario, with nothing left behind: no tensor, no forward."""
    with traced(pack.__name__) as trace:
        samples = row.play(here, node)
    assert all(found() is None for found in trace.kept), "kept tensors outlive their run"
    assert all(store.bytes == store.host_bytes == 0 for store in trace.stores)
    assert not any("forward" in module.__dict__ for module in here.model.model.diffusion_model.modules())
    return samples, trace


def same(samples: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return len(samples) == len(others) and all(torch.equal(a, b) for a, b in zip(samples, others, strict=True))


def played_with(pack, row: Row, here: Scene, node: str, widgets: dict) -> tuple[list[torch.Tensor], Trace, list]:
    """The scenario with a node, and the reports of its runs."""
    applied = Applied(pack, node, widgets)
    return *played(pack, row, here, applied), applied.reports


def refuse(pack, row: Row, here: Scene, node: str) -> None:
    with pytest.raises(ValueError, match=row.refused):
        played_with(pack, row, here, node, WAYS[node][0].widgets)


def reuse(
    row: Row, here: Scene, way: Way, uncached: Trace, samples: list[torch.Tensor], cached: Trace, reports: list
) -> None:
    """The run as users want it: every evaluation at its step, those that are predicted cost less, and the report
    says what was."""
    assert all(found.isfinite().all() for found in samples)
    clocks = tuple(run.clock for run in cached.runs)
    if row.clocks is not None:
        assert clocks == row.clocks
    if row.exact:
        for run, full in zip(cached.runs, uncached.runs, strict=True):
            check_costs(run, full, way, here.outside if way in WAYS[FEB] else None)
    if row.reuses and not way.checked:  # on models this small the check of the mounts may cost as much as a run saves
        assert (cached.calls, cached.kernels) < (uncached.calls, uncached.kernels)
    check_reports(row, way, clocks, reports)


def check_costs(run: SeenRun, full: SeenRun, way: Way, outside: int | None) -> None:
    """Each evaluation costs what its step was told to. `outside`: kernels of a call that FEB-Cache does not reach;
    None for AB-Cache, which skips the call."""
    for seen, whole in zip(run.evaluations, full.evaluations, strict=True):
        computed = run.steps < MIN_STEPS or seen.step in way.computed
        if outside is None:
            assert (seen.calls, seen.kernels) == ((whole.calls, whole.kernels) if computed else (0, 0)), seen
        else:
            wanted = whole.kernels if computed else outside * whole.calls
            assert seen.calls == whole.calls, seen
            assert seen.kernels == wanted or (way.checked and computed and seen.kernels > wanted), seen


def check_reports(row: Row, way: Way, clocks: tuple, reports: list) -> None:
    kept = 8  # reports that a mailbox keeps
    if len(clocks) <= kept:
        assert sorted(tuple(found.step for found in report.rows) for report in reports) == sorted(clocks)
    for report in reports:
        assert report.restarts == 0
        assert row.demoted or report.demotions == ()
    node = next(node for node, ways in WAYS.items() if way in ways)
    assert row.says.get(node, "") in " ".join(note for report in reports for note in report.notes)


@pytest.mark.parametrize("node", NODES)
def test_what_the_nodes_leave_on_a_model_is_left_alone_by_comfyui(pack, node):
    """ComfyUI calls `to`, `models` and `cleanup` of what it finds in model options, and copies them with every clone
    (H7, H8)."""
    model = scene("FLUX").model
    cached = Applied(pack, node, WAYS[node][0].widgets)(model)
    assert cached.model_options == model.model_options
    ours = [
        wrapper
        for kinds in cached.wrappers.values()
        for key, found in kinds.items()
        if key == "feb_ab_cache"
        for wrapper in found
    ]
    assert len(ours) == 5
    assert not [
        name
        for wrapper in ours
        for name in ("to", "models", "cleanup")
        if hasattr(wrapper, name) or hasattr(wrapper.__self__, name)
    ]


def test_every_sampler_of_comfyui_has_a_row():
    import comfy.samplers

    assert {f"sampler {name}" for name in comfy.samplers.SAMPLER_NAMES} <= set(BY_ID)


def test_every_row_is_shown_or_says_why_not():
    assert len(BY_ID) == len(ROWS)
    for row in ROWS:
        assert row.play or row.reason("FLUX", AB), row.id


def test_cells_that_the_list_of_peers_bugs_names_are_there():
    known = {"-".join(cell) for cell in CELLS}
    bugs = json.loads((Path(__file__).resolve().parents[2] / "peer_bugs.json").read_text())
    named = [test.partition("[")[2].removesuffix("]") for bug in bugs for test in bug["tests"] if "test_cell[" in test]
    assert set(named) <= known

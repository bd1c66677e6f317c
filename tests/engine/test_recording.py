"""What is kept inside a model call is made outside of a recording of its allocations.

The recorder does what ComfyUI's compiler (0.34 and later) relies on: what a block allocates is free again when the
next one begins, what it returned and what that one is given aside, and everything is free when the call is over. The
same memory is somebody else's in the next call.
"""

from contextlib import contextmanager, nullcontext

import pytest
import torch
from test_between import between_blocks, returned, written
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from toy import Bench, inputs, plan, small_flux, standing, toy

from cache_core import OUTPUT
from cache_core.store import Rung


def storages(*values):
    return {x.untyped_storage()._cdata: x.untyped_storage() for x in tree_leaves(values) if isinstance(x, torch.Tensor)}


class Recorder(TorchDispatchMode):
    """Records what is allocated in calls of `model` while it is not paused. `outlived`: for each call, how much did
    not end with its block, or with the call."""

    def __init__(self, model):
        super().__init__()
        self.recording = self.paused = False
        self.outlived: list[int] = []
        self.block, self.before = {}, {}  # made since this block began, and before it
        model.register_forward_pre_hook(self._begin)
        model.register_forward_hook(self._end)
        for block in (*model.double_blocks, *model.single_blocks):
            block.register_forward_pre_hook(self._next, with_kwargs=True)
            block.register_forward_hook(self._returned)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        if self.recording and not self.paused:
            known = storages(args, kwargs)
            self.block |= {key: StorageWeakRef(made) for key, made in storages(result).items() if key not in known}
        return result

    @contextmanager
    def pause(self):
        """As ComfyUI's, which does not count how often it was entered."""
        assert not self.paused
        self.paused = True
        try:
            yield
        finally:
            self.paused = False

    def _begin(self, *_):
        self.recording, self.first, self.output = True, True, set()
        self.outlived.append(0)

    def _next(self, _, args, kwargs):
        alive = {key: ref for key, ref in self.block.items() if not ref.expired()}
        self.outlived[-1] += 0 if self.first else len(alive.keys() - storages(args, kwargs).keys() - self.output)
        self.before, self.block, self.first = {**self.before, **alive}, {}, False

    def _returned(self, _, args, out):
        self.output = set(storages(out))

    def _end(self, _, args, out):
        self.recording = False
        return out.clone()

    def over(self):
        """The call is over, and so is what it recorded."""
        self.outlived[-1] += sum(not ref.expired() for ref in (*self.before.values(), *self.block.values()))
        self.before, self.block = {}, {}


def recorded(make, plans, rung=None, paused=True, steps=6):
    """How much more than without a cache outlives the recordings of the first steps."""
    model, plain = make(), make()
    recorder, own = Recorder(model), Recorder(plain)
    bench = Bench(model, *plans, outside=recorder.pause if paused else nullcontext)
    if rung:
        standing(rung)(bench.run)
    for seed in range(steps):
        given = flux_given(seed) if hasattr(model, "config") else inputs(seed)
        with torch.inference_mode(), recorder:
            bench(*given)
            recorder.over() if recorder.outlived[seed:] else recorder.outlived.append(0)
        with torch.inference_mode(), own:
            plain(*given, {})
            own.over()
    assert sum(sum(e.predicted_calls.values()) for e in bench.run.evaluations)
    return sum(max(0, ours - theirs) for ours, theirs in zip(recorder.outlived, own.outlived, strict=True))


def flux_given(seed):
    chance = torch.Generator().manual_seed(seed)
    return (
        torch.randn(1, 4, 4, 4, generator=chance),
        torch.rand(1, generator=chance),
        torch.randn(1, 4, 32, generator=chance),
        torch.randn(1, 16, generator=chance),
    )


FORMS = [{"offloaded": offloaded, "eight_bit": small} for offloaded in (False, True) for small in (False, True)]
MODELS = {"in place": toy, "FLUX": lambda: small_flux(2, 3)}
SITES = plan("##.a.m", order=2)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_site_is_kept_outside(make, form):
    assert recorded(make, (SITES,), Rung(**form)) == 0


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_residuals_are_kept_outside(make, form):
    assert recorded(make, (plan("##.#..", order=2, merge=True),), Rung(merged=True, **form)) == 0


@pytest.mark.parametrize("change", [written, returned])
def test_copies_of_what_another_node_writes_to_are_made_outside(change):
    assert recorded(lambda: between_blocks(toy(), change, [True]), (plan("##.#..", order=2, merge=True),)) == 0


@pytest.mark.parametrize("plans", [(SITES,), (plan("##.#..", order=2, merge=True),)], ids=["every site", "merged"])
def test_without_the_pause_the_recorder_would_see_it(plans):
    assert recorded(toy, plans, paused=False) > 0


def test_the_output_of_the_model_is_kept_when_the_recording_is_over():
    assert recorded(toy, (plan("##..#.", OUTPUT, order=2),), paused=False) == 0

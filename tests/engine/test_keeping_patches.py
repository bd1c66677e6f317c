"""Patches of other packs that keep something from call to call: no block is run twice under them."""

from functools import partial

import pytest
import torch
from toy import OVERRIDE, Bench, Double, Single, inputs, plan, toy

from cache_core import MODULES
from cache_core.mount.state import Held


class Cache:
    """Keeps the keys of the first call, and looks at them, too, from then on: as core's FLUX KV cache does."""

    def __init__(self):
        self.cache, self.calls = {}, 0

    def __call__(self, kernel, q, k, v, *args, **kwargs):
        self.calls += 1
        first = self.cache.setdefault("k", k.clone())
        return kernel(q, k + 0.1 * first.mean(), v, *args, **kwargs)


def in_a_closure():
    kept = []

    def override(kernel, q, *args, **kwargs):
        kept.append(q)
        return kernel(q, *args, **kwargs)

    return override


def as_a_counter():
    count = 0

    def override(kernel, *args, **kwargs):
        nonlocal count
        count += 1
        return kernel(*args, **kwargs)

    return override


def on_a_function():
    def override(kernel, q, *args, **kwargs):
        override.last = q
        return kernel(q, *args, **kwargs)

    return override


def in_a_partial():
    def override(kept, kernel, q, *args, **kwargs):
        kept[0] = q
        return kernel(q, *args, **kwargs)

    return partial(override, {})


KEEPING = [Cache, in_a_closure, as_a_counter, on_a_function, in_a_partial]


@pytest.mark.parametrize("make", KEEPING, ids=lambda make: make.__name__)
def test_under_a_patch_that_keeps_something_everything_is_computed_and_it_says_so(make):
    caching, options, plain = Bench(toy(), plan("#.m.")), {OVERRIDE: make()}, {OVERRIDE: make()}
    for seed in range(4):
        assert torch.equal(caching(*inputs(seed), options=options), toy()(*inputs(seed), plain))
    assert len(caching.run.demotions) == 1
    assert f"{OVERRIDE} keeps something from call to call" in caching.run.demotions[0]
    assert list(caching.run.store) == []


@pytest.mark.parametrize("block", [Double, Single])
def test_a_block_under_such_a_patch_is_run_once(block):
    patch = Cache()
    caching = Bench(toy((block,), ()) if block is Double else toy((), (block,)), plan("#."))
    caching(*inputs(), options={OVERRIDE: patch})
    assert patch.calls == 1


def test_merged_blocks_are_not_checked_and_stay_cached_under_it():
    patch = Cache()
    caching = Bench(toy(), plan("#.", merge=True))
    caching(*inputs(), options={OVERRIDE: patch})
    caching(*inputs(), options={OVERRIDE: patch})
    assert patch.calls == 4
    assert caching.run.demotions == []
    assert caching.run.evaluation.predicted >= MODULES


class Remembering(Single):
    """Appends its input to what it is handed, as blocks with a cache of keys and values do."""

    def forward(self, *args, kv_cache, **kwargs):
        kv_cache["x"], kv_cache["end"] = args[0].clone(), kv_cache["end"] + args[0].shape[1]
        return super().forward(*args, **kwargs)


class Handing(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.single_blocks = torch.nn.ModuleList([Remembering()])
        self.double_blocks, self.kept = torch.nn.ModuleList(), {"end": 0}

    def forward(self, x, t, text, options):
        return self.single_blocks[0](
            x.clone(), vec=1 + t.view(-1, 1, 1), pe=None, kv_cache=self.kept, transformer_options=options
        )


def test_a_block_that_is_handed_a_memory_is_run_once():
    caching = Bench(model := Handing(), plan("#."))
    caching(*inputs())
    assert model.kept["end"] == inputs()[0].shape[1]
    assert "argument kv_cache keeps something" in caching.run.demotions[0]


def test_a_patch_that_keeps_nothing_is_no_reason_to_compute():
    def override(kernel, *args, **kwargs):
        return 2 * kernel(*args, **kwargs)

    caching = Bench(toy(), plan("#."))
    for _ in range(2):
        caching(*inputs(), options={OVERRIDE: override, "mine": {"a": [1, 2]}})
    assert caching.run.demotions == []
    assert caching.run.evaluation.predicted_calls["mlp"] == caching.run.sites["mlp"]


def test_what_manages_a_model_is_not_looked_into():
    class Patcher:
        def __init__(self):
            self.model, self.patches = torch.nn.Linear(1, 1), {}

    class Patch:
        def __init__(self):
            self.model_patch = Patcher()

    patch = Patch()
    held = Held([("patch", [patch])])
    patch.model_patch.patches["x"] = 1
    assert list(held.changed()) == []
    patch.model_patch = None
    assert [name for name, _ in held.changed()] == ["patch"]

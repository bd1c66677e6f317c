"""Comfy Compiler and dynamic VRAM: stand-ins of what newer ComfyUIs have, on this one, whose own classes and
samplers run."""

from contextlib import contextmanager
from types import ModuleType

import pytest
import torch
from comfy_models import NEVER, flux, ksample
from tiny import TINY, sampled

MERGED = {**NEVER, "edited_steps": "reuse both 2-3,5-7", "memory": 1.0}
EVERY_SITE = {**NEVER, "edited_steps": "reuse attention 2; reuse both 3,5-6", "memory": 1.0}
COMPUTED = [0, 1, 4, 8, 9]  # of 10 steps, by MERGED
HOW = {"steps": 10}
NOTE = "Comfy Compiler is off for this run"


class Compiler(ModuleType):
    """What of comfy.model_prefetch concerns a cache. `paused`: how often a recording was paused; it must not be
    twice at once."""

    def __init__(self, args):
        super().__init__("comfy.model_prefetch")
        self.args, self.device, self.paused, self.pauses = args, None, False, 0

    def malloc_graph_enabled(self, device):
        return not self.args.disable_comfy_compiler

    @contextmanager
    def pause_malloc_graph(self, sync=False):
        assert not self.paused
        self.paused, self.pauses = True, self.pauses + 1
        try:
            yield
        finally:
            self.paused = False


@pytest.fixture
def core(monkeypatch):
    """The stand-in, with the compiler on."""
    from comfy.cli_args import args

    monkeypatch.setattr(args, "disable_comfy_compiler", False, raising=False)
    made = Compiler(args)
    put(monkeypatch, made)
    return made


def put(monkeypatch, module):
    """`module` in place of comfy.model_prefetch, whichever way it is imported."""
    import sys

    import comfy

    monkeypatch.setitem(sys.modules, "comfy.model_prefetch", module)
    monkeypatch.setattr(comfy, "model_prefetch", module, raising=False)


def watch(model, look):
    """`look()` at each call of the model, while it runs."""
    found, inner = [], model.model.diffusion_model
    hook = inner.register_forward_pre_hook(lambda *_: found.append(look()))
    return found, hook


@pytest.mark.parametrize(
    ("node", "widgets", "recorded"),
    [
        ("feb", MERGED, False),
        ("feb", EVERY_SITE, False),
        ("feb", NEVER, True),
        ("ab", {"computed_steps": "0-1,4,8"}, True),
    ],
    ids=str,
)
def test_a_run_that_predicts_inside_the_model_is_not_recorded(core, request, node, widgets, recorded):
    model = flux()
    found, _ = watch(model, lambda: core.malloc_graph_enabled(None))
    cached, mailbox = request.getfixturevalue(node)(model, **widgets)
    ksample(cached, **HOW)
    assert set(found) == {recorded}
    assert core.malloc_graph_enabled(None)
    assert sum(NOTE in note for note in mailbox.latest.notes) == (not recorded)
    assert bool(core.pauses) == (node == "ab" or widgets != NEVER)  # AB-Cache keeps outside of the model's call anyway


def test_a_failed_run_gives_the_compiler_back(core, feb):
    model = flux()

    def fail():
        raise KeyboardInterrupt

    watch(model, fail)
    with pytest.raises(KeyboardInterrupt):
        ksample(feb(model, **MERGED)[0], **HOW)
    assert core.malloc_graph_enabled(None)


def test_a_run_inside_another_leaves_the_compiler_off(core, feb, ab):
    inner, outer, found = flux(), flux(), []
    cached = [feb(inner, **MERGED)[0], ab(inner)[0]]

    def nested(step, *_):
        if step in (3, 4):
            ksample(cached[step - 3], **HOW)
            found.append(core.args.disable_comfy_compiler)

    seen, _ = watch(outer, lambda: core.args.disable_comfy_compiler)
    ksample(feb(outer, **MERGED)[0], callback=nested, **HOW)
    assert found == [True, True]
    assert set(seen) == {True}
    assert not core.args.disable_comfy_compiler


def test_a_compiler_that_is_off_stays_off_without_a_word(core, feb):
    core.args.disable_comfy_compiler = True
    cached, mailbox = feb(flux(), **MERGED)
    ksample(cached, **HOW)
    assert core.args.disable_comfy_compiler
    assert not any(NOTE in note for note in mailbox.latest.notes)


@pytest.mark.parametrize("widgets", [MERGED, EVERY_SITE], ids=["merged", "every site"])
def test_the_picture_is_the_same_with_and_without_the_compiler(core, feb, monkeypatch, widgets):
    with_compiler = ksample(feb(flux(), **widgets)[0], **HOW)
    put(monkeypatch, ModuleType("without the functions"))
    assert torch.equal(ksample(feb(flux(), **widgets)[0], **HOW), with_compiler)


def prefetching(model):
    """What a queue of blocks in the model's own code reads at each of its calls; where ComfyUI does not say, it is
    said here."""
    from comfy.model_base import BaseModel

    inner, found = model.model.diffusion_model, []
    own = type(inner)._forward

    def forward(*args, **kwargs):
        found.append(_options(args, kwargs).get("prefetch_dynamic_vbars"))
        return own(inner, *args, **kwargs)

    inner._forward = forward
    model.model._apply_model = _with_prefetch(BaseModel._apply_model, model.model)
    return found


def _options(args, kwargs):
    return kwargs.get("transformer_options") or next(arg for arg in reversed(args) if isinstance(arg, dict))


def _with_prefetch(own, base):
    """`own`, writing the option where newer ComfyUIs do: behind all wrappers, before the model's own call."""

    def apply(*args, **kwargs):
        inner, call = base.diffusion_model, type(base.diffusion_model).__call__

        class Calling:
            def __call__(self, *given, transformer_options, **named):
                return call(
                    inner, *given, transformer_options={**transformer_options, "prefetch_dynamic_vbars": True}, **named
                )

            def __getattr__(self, name):
                return getattr(inner, name)

        vars(base)["diffusion_model"] = Calling()  # before the registered module
        try:
            return own(base, *args, **kwargs)
        finally:
            del vars(base)["diffusion_model"]

    return apply


@pytest.mark.parametrize("widgets", [MERGED, EVERY_SITE], ids=["merged", "every site"])
def test_weights_are_fetched_only_where_a_block_computes(feb, widgets):
    model = flux()
    found = prefetching(model)
    ksample(feb(model, **widgets)[0], **HOW)
    assert found == [step in COMPUTED or widgets is EVERY_SITE for step in range(10)]
    assert "forward" not in vars(model.model.diffusion_model)


def test_weights_are_fetched_where_one_of_two_lists_computes(feb):
    tiny = TINY["wan_vace"]  # its second list is not merged
    model = tiny.build()
    found = prefetching(model)
    cached, mailbox = feb(model, **MERGED)
    sampled(tiny, cached)
    assert any(row.state == "reuse both" for row in mailbox.latest.rows)
    assert set(found) == {True}


@pytest.mark.parametrize("reserved", ["blocks", "model"])
def test_blocks_that_may_be_captured_are_not_mounted_and_the_report_says_so(feb, reserved):
    model, plain = flux(), flux()
    for block in model.model.diffusion_model.double_blocks if reserved == "blocks" else [model.model.diffusion_model]:
        block._v_block = (None, 0, 1)
    found, _ = watch(model, lambda: any("forward" in vars(module) for module in model.model.diffusion_model.modules()))
    cached, mailbox = feb(model, **MERGED)
    assert torch.equal(ksample(cached, **HOW), ksample(plain, **HOW))
    assert set(found) == {False}
    assert any("CUDA graphs" in said for said in mailbox.latest.demotions)

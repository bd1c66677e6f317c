"""Where ComfyUI has no compiler, or there is no ComfyUI (nodes/compiler.py)."""

import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import pytest
import torch


@pytest.fixture
def compiler(pack):
    return sys.modules[f"{pack.__name__}.nodes.comfy.compiler"]


class Notes(list):
    note = list.append


@pytest.mark.parametrize("old", [None, ModuleType("comfy.any")], ids=["no ComfyUI", "without the functions"])
def test_nothing_is_done_without_the_functions(monkeypatch, compiler, old):
    for name in ("comfy.model_prefetch", "comfy.cli_args"):
        monkeypatch.setitem(sys.modules, name, old)
    said = Notes()
    with compiler.unrecorded(said, "cuda"):
        assert compiler.outside_recording() is nullcontext
    assert said == []


def test_the_recording_stays_off_until_the_last_of_two_samplings_has_ended(monkeypatch, compiler):
    args = SimpleNamespace(disable_comfy_compiler=False)
    monkeypatch.setattr(compiler, "_args", lambda: args)
    monkeypatch.setattr(compiler, "_records", lambda device: False)
    first, second = compiler.unrecorded(object(), "cuda"), compiler.unrecorded(object(), "cuda")
    seen = [
        context() or args.disable_comfy_compiler
        for context in (
            first.__enter__,
            second.__enter__,
            lambda: first.__exit__(None, None, None),
            lambda: second.__exit__(None, None, None),
        )
    ]
    assert seen == [True, True, True, False]


class Model(torch.nn.Module):
    def forward(self, *args, **kwargs):
        return args, kwargs


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"prefetch_dynamic_vbars": True, "a": 1}, {"prefetch_dynamic_vbars": False, "a": 1}),
        ({"prefetch_dynamic_vbars": False}, {"prefetch_dynamic_vbars": False}),
        ({"a": 1}, {"a": 1}),
        (None, None),
    ],
)
def test_the_option_is_changed_on_a_copy(compiler, options, seen):
    model, before = Model(), dict(options or {})
    with compiler.without_prefetch(model):
        assert model(1, transformer_options=options, b=2) == ((1,), {"transformer_options": seen, "b": 2})
        assert model(1) == ((1,), {})
    assert dict(options or {}) == before
    assert "forward" not in vars(model)

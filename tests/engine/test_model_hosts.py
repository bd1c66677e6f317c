"""Which models have sites within reach."""

import pytest
import torch
from torch import nn
from toy import Bench, inputs, plan, small_flux, toy

from cache_core import MODULES, OUTPUT, HostError
from cache_core.hosts import blocks_of, match, submodule


class Compiled(nn.Module):
    """Wraps a block as torch.compile does."""

    def __init__(self, block):
        super().__init__()
        self._orig_mod = block

    def forward(self, *args, **kwargs):
        return self._orig_mod(*args, **kwargs)


@pytest.mark.parametrize("build", [small_flux, toy, lambda: toy(single=()), lambda: toy(double=())])
def test_a_model_is_recognised_by_the_names_it_uses(build):
    assert match(build()).name == "FLUX"


def without_linear2():
    model = toy()
    del model.single_blocks[0].linear2
    return model


@pytest.mark.parametrize("build", [lambda: nn.Linear(1, 1), lambda: toy((), ()), without_linear2])
def test_another_model_is_refused_by_name_with_what_works_instead(build):
    model = build()
    with pytest.raises(HostError, match=f"(?s){type(model).__name__}.*AB-Cache Apply"):
        match(model)


def test_compiled_blocks_are_looked_through():
    model = toy()
    plain = list(model.double_blocks)
    model.double_blocks = nn.ModuleList(Compiled(block) for block in plain)
    host = match(model)
    assert blocks_of(model, host.blocks[0]) == plain


def test_compiled_parts_of_a_block_are_looked_through():
    block = toy().double_blocks[0]
    layer = block.img_attn.qkv
    block.img_attn = Compiled(block.img_attn)
    assert submodule(block, "img_attn.qkv") is layer
    assert submodule(block, "img_attn.other.qkv") is None


def test_a_compiled_blocks_states_repeat_the_computed_output():
    model = toy()
    model.double_blocks = nn.ModuleList(Compiled(block) for block in model.double_blocks)
    bench = Bench(model, plan("#ma."))
    first, *later = (bench(*inputs()) for _ in range(4))
    for output in later:
        torch.testing.assert_close(output, first, atol=1e-5, rtol=0)
    assert bench.run.demotions == []


@pytest.mark.parametrize(
    ("plan_of_run", "mounted"), [(plan("#.", OUTPUT), [False] * 3), (plan("#m"), [True, True, False])]
)
def test_blocks_are_mounted_only_where_something_of_theirs_is_kept_or_predicted(plan_of_run, mounted):
    model = toy()
    bench, seen = Bench(model, plan_of_run), []
    hook = model.double_blocks[0].register_forward_pre_hook(lambda block, _: seen.append("forward" in vars(block)))
    for step in range(3):
        bench(*inputs())
        assert len(seen) == step + (plan_of_run.kinds == MODULES or step != 1)
        seen += [False] * (step + 1 - len(seen))  # the model did not run at all
    hook.remove()
    assert seen == mounted

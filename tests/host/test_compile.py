"""Behind and in front of ComfyUI's torch.compile node: the picture is the uncompiled one, and there are few graphs."""

import shutil

import pytest
import torch
from comfy_models import NEVER, flux, ksample
from scenarios.row import AB, FEB, WAYS

MOST_EXTRA = 3  # graphs that a cache may add to those of the compiled model alone
HOW = {"steps": 9, "cfg": 2.0}
MERGED, EVERY_SITE = (way.widgets for way in WAYS[FEB])
ORDERS = {
    "compiled first": lambda compiled, apply, model: apply(compiled(model)),
    "cached first": lambda compiled, apply, model: (lambda cached, mailbox: (compiled(cached), mailbox))(*apply(model)),
}


@pytest.fixture
def graphs():
    """Counts the graphs that the eager backend is given."""
    from torch._dynamo.testing import CompileCounter

    torch._dynamo.reset()
    yield CompileCounter()
    torch._dynamo.reset()


@pytest.fixture(params=ORDERS.values(), ids=ORDERS)
def order(request):
    return request.param


def compiler(backend):
    """What the TorchCompileModel node does."""
    from comfy_extras.nodes_torch_compile import TorchCompileModel

    return lambda model: TorchCompileModel.execute(model, backend)[0]


def tiny():
    return flux(depth=1, depth_single_blocks=2)


@pytest.fixture(scope="module")
def alone():
    """Graphs of the compiled model without a cache."""
    from torch._dynamo.testing import CompileCounter

    torch._dynamo.reset()
    counter, model = CompileCounter(), tiny()
    assert torch.equal(ksample(compiler(counter)(model), **HOW), ksample(model, **HOW))
    return counter.frame_count


@pytest.mark.parametrize(
    ("node", "widgets"),
    [("ab", WAYS[AB][0].widgets), ("feb", MERGED), ("feb", NEVER)],
    ids=["AB-Cache", "FEB-Cache", "FEB-Cache, never"],
)
def test_the_picture_is_the_uncompiled_one_with_few_graphs_more(request, graphs, alone, order, node, widgets):
    apply, model = request.getfixturevalue(node), tiny()
    expected = ksample(apply(model, **widgets)[0], **HOW)
    both, mailbox = order(compiler(graphs), lambda model: apply(model, **widgets), model)
    assert torch.equal(ksample(both, **HOW), expected)
    assert graphs.frame_count <= alone + MOST_EXTRA
    made = graphs.frame_count
    assert torch.equal(ksample(both, **HOW), expected)
    assert graphs.frame_count == made  # nothing is compiled anew at the next queue
    assert mailbox.latest.demotions == ()
    assert not any("forward" in module.__dict__ for module in model.model.diffusion_model.modules())


def test_a_plan_for_single_sites_is_merged_on_a_compiled_model_and_says_so(graphs, alone, order, feb):
    both, mailbox = order(compiler(graphs), lambda model: feb(model, **EVERY_SITE), tiny())
    coarser = ksample(both, **HOW)
    assert graphs.frame_count <= alone + MOST_EXTRA
    assert mailbox.latest.demotions == (
        "the model is compiled: blocks together, only steps that predict attention and mlp together, on the device",
    )
    assert torch.equal(coarser, ksample(feb(tiny(), **NEVER, edited_steps="reuse both 3,5-6", memory=1.0)[0], **HOW))


def test_a_plan_that_never_reuses_both_kinds_computes_them_on_a_compiled_model(graphs, alone, feb):
    model = tiny()
    both, mailbox = feb(compiler(graphs)(model), **NEVER, edited_steps="reuse mlp 2-3,5-7", memory=1.0)
    assert torch.equal(ksample(both, **HOW), ksample(model, **HOW))
    assert graphs.frame_count == alone
    assert any("cannot be merged" in said for said in mailbox.latest.demotions)


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="inductor needs a C++ compiler")
def test_inductor_compiles_both(feb, ab):
    torch._dynamo.reset()
    model = flux(depth=1, depth_single_blocks=1)
    plain = ksample(model, **HOW)
    for apply, widgets in ((ab, WAYS[AB][0].widgets), (feb, MERGED)):
        expected = ksample(apply(model, **widgets)[0], **HOW)
        compiled = ksample(apply(compiler("inductor")(model), **widgets)[0], **HOW)
        assert float((compiled - expected).norm() / expected.norm()) < 1e-3 * float(
            (plain - expected).norm() / expected.norm()
        )
    torch._dynamo.reset()

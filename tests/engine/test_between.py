"""What is added between blocks is noticed when it is written, in inference mode, too, and a list that is kept costs
next to nothing."""

from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from test_merging import merged, residuals
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode
from toy import Bench, Single, flux_inputs, inputs, small_flux, toy

from cache_core.mount.between import Between

ADDED = 0.25


class Operations(TorchDispatchMode):
    """Counts what torch is asked to do."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.seen[str(operation)] += 1
        return operation(*args, **(kwargs or {}))


def operations(work):
    with Operations() as counted:
        work()
    return counted.seen


@pytest.fixture(params=[torch.no_grad, torch.inference_mode], ids=["no grad", "inference mode"])
def mode(request):
    with request.param():
        yield request.param


def test_a_kept_step_of_flux_takes_at_most_two_per_cent_more_operations_than_a_plain_one(mode):
    model, given = small_flux(19, 38), flux_inputs()
    bench = Bench(model, merged("##.", order=2))
    bench(*given)  # the first one
    plain = operations(lambda: model(*given, {}))
    kept = operations(lambda: bench(*given))
    assert list(bench.run.store)
    assert plain.total() < kept.total() <= 1.02 * plain.total()


# Ways to change a stream between two blocks.
def written(x):
    x[:, 1:] += ADDED
    return x


def written_twice(x):
    x.add_(ADDED)
    return written(x)


def returned(x):
    return x + ADDED


def written_by_out(x):
    return torch.add(x, ADDED, out=x)


def written_in_a_list(x):
    torch._foreach_add_([torch.zeros(1), x], ADDED)
    return x


def replaced(x):
    x.copy_(x * 2)
    return x


def written_where_nobody_looks(x):
    torch.zeros(3).add_(ADDED)
    return x


def written_by_a_compiled_function(x):
    return torch.compile(torch.Tensor.add_, backend="eager")(x, ADDED)


def beside_an_operation_of_higher_order(x):
    torch.ops.higher_order.out_dtype(torch.ops.aten.mul.Tensor, torch.int32, torch.ones(2, dtype=torch.int8), 2)
    return written(x)


class Standing(torch.Tensor):
    """Stands for another tensor, and has no memory of its own, as a quantised weight of ComfyUI."""

    @staticmethod
    def __new__(cls, inner):
        made = torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return operation(*(x.inner if isinstance(x, cls) else x for x in args), **(kwargs or {}))


def beside_a_quantised_weight(x):
    Standing(torch.zeros(3)).add_(1)
    return written(x)


WAYS = [
    written,
    written_twice,
    returned,
    written_by_out,
    written_in_a_list,
    replaced,
    written_where_nobody_looks,
    written_by_a_compiled_function,
    beside_an_operation_of_higher_order,
    beside_a_quantised_weight,
]


def between_blocks(model, change, on):
    """The model, with `change` between the blocks of its single list while `on` holds something."""
    model.single_blocks[1].register_forward_pre_hook(lambda _, args: (change(args[0]), *args[1:]) if on else args)
    return model


def added_between(model, *given):
    """What the single list's second block is given less what the first one returned."""
    found = []
    hooks = [
        model.single_blocks[0].register_forward_hook(lambda _, args, out: found.append(out.clone())),
        model.single_blocks[1].register_forward_pre_hook(lambda _, args: found.append(args[0].clone())),
    ]
    model(*given, {})
    for hook in hooks:
        hook.remove()
    return found[1] - found[0]


@pytest.mark.parametrize("change", WAYS)
@pytest.mark.parametrize("before", [0, 1])
def test_what_is_written_between_blocks_is_no_part_of_the_residual(mode, change, before):
    """`before`: kept steps before the one from which on something is written."""
    on, given = [], inputs()
    model = between_blocks(toy(), change, on)
    bench = Bench(model, merged("##.", order=2))
    for _ in range(before):
        bench(*given)
    on.append(True)
    assert torch.equal(bench(*given), model(*given, {}))
    wanted = residuals(model, *given)["single_blocks.x"] - added_between(model, *given)
    key = next(key for key in bench.run.store if key[1] == "single_blocks.x")
    torch.testing.assert_close(bench.run.store[key].combine((1,)), wanted, atol=1e-6, rtol=0)


class Reshaping(Single):
    """Is given fewer tokens than the block before it returned, and returns as many as that."""

    def forward(self, x, *args, **kwargs):
        return torch.cat((x[:, :1], super().forward(x, *args, **kwargs)), 1)


def test_streams_that_change_shape_between_blocks_keep_every_site_and_say_so(mode):
    model = toy(single=(Single, Reshaping))
    model.single_blocks[1].register_forward_pre_hook(
        lambda _, args, kwargs: ((args[0][:, 1:], *args[1:]), {**kwargs, "pe": None}), with_kwargs=True
    )
    bench = Bench(model, merged("#.#."))
    assert torch.equal(bench(*inputs()), model(*inputs(), {}))
    assert bench.run.demotions == ["single_blocks (its streams change shape between its blocks): every output is kept"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_watches_after_a_failed_call(error):
    def fail(_, args):
        raise error

    model = toy()
    model.single_blocks[1].register_forward_pre_hook(fail)
    with pytest.raises(error):
        Bench(model, merged("#."))(*inputs())
    assert _get_current_dispatch_mode() is None


def test_a_mode_around_a_block_is_left_alone(mode):
    model = toy()
    bench, own = Bench(model, merged("#.")), Operations()
    model.single_blocks[1].register_forward_pre_hook(lambda _, args: own.__enter__() and None)
    model.single_blocks[1].register_forward_hook(lambda _, args, out: own.__exit__(None, None, None))
    first = bench(*inputs())
    assert own.seen
    assert _get_current_dispatch_mode() is None
    torch.testing.assert_close(bench(*inputs()), first, atol=1e-5, rtol=0)


def test_streams_of_another_list_are_copied_before_a_block_that_may_write_into_them(mode):
    between, mine, other = Between(nullcontext), [torch.zeros(2)], [torch.ones(2)]
    kept = mine[0], other[0]
    between.left(mine)
    between.left(other)
    between.reached(mine)
    assert mine[0] is kept[0]
    assert other[0] is not kept[1]
    assert _get_current_dispatch_mode() is None

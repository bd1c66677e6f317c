"""Blocks that a model does not run by their forward: it says so, and nothing is cached of them."""

import pytest
import torch
from toy import Bench, Double, Single, Toy, inputs, plan


def by_another_name(block):
    """A class like `block` whose work is done by `generate`, and whose MLP a second method runs, too."""

    class Renamed(block):
        def generate(self, *args, **kwargs):
            return block.forward(self, *args, **kwargs)

        def forward(self, *args, **kwargs):
            raise AssertionError("nobody calls it")

    return Renamed


class Generating(Toy):
    """Runs its blocks by their `generate`, as Wan Animate 2 does by a method of its own."""

    def forward(self, x, t, text, options):
        img, txt, vec = x.clone(), text.clone(), self.time(t.view(-1, 1, 1))
        pe = torch.linspace(0.5, 1.5, x.shape[1] + text.shape[1])[:, None]
        for block in self.double_blocks:
            img, txt = block.generate(img, txt, vec, pe, None, options)
        joined = torch.cat((txt, img), 1)
        for block in self.single_blocks:
            joined = block.generate(joined, vec, pe, None, options)
        return joined[:, txt.shape[1] :]


def generating():
    torch.manual_seed(0)
    return Generating([by_another_name(Double)() for _ in range(2)], [by_another_name(Single)() for _ in range(2)])


@pytest.mark.parametrize("marks", ["#.", "#m", "#a"])
def test_sites_that_are_never_reached_are_given_up(marks):
    caching = Bench(model := generating(), plan(marks + marks[-1]))
    for seed in range(3):
        assert torch.equal(caching(*inputs(seed)), model(*inputs(seed), {}))
    assert [said.partition(":")[0] for said in caching.run.demotions] == ["none of its blocks is run by its forward"]
    assert list(caching.run.store) == []
    assert not any(caching.run.evaluation.predicted)


def test_a_merged_list_that_is_never_entered_steps_down_to_every_site_and_then_to_nothing():
    caching = Bench(model := generating(), plan("##.#.", merge=True))
    for seed in range(5):
        assert torch.equal(caching(*inputs(seed)), model(*inputs(seed), {}))
    reason = "its blocks are not run by their forward"
    assert caching.run.demotions[:2] == [
        f"{path} ({reason}): every output is kept" for path in ("double_blocks", "single_blocks")
    ]
    assert caching.run.demotions[2].startswith(
        "none of its blocks is run by its forward: attention and mlp are computed"
    )
    assert list(caching.run.store) == []


class TwoBranches(Double):
    """A block of which another method runs the MLP on other tokens first."""

    def prepare(self, x):
        return self.img_mlp(x)


class Branching(Toy):
    def forward(self, x, t, text, options):
        return super().forward(x + sum(block.prepare(x) for block in self.double_blocks), t, text, options)


def test_a_module_is_a_site_only_within_its_blocks_forward():
    torch.manual_seed(0)
    caching = Bench(model := Branching([TwoBranches(), TwoBranches()]), plan("#."))
    wanted = model(*inputs(), {})
    for _ in range(2):
        torch.testing.assert_close(caching(*inputs()), wanted, atol=1e-5, rtol=0)
    assert caching.run.demotions == []
    assert caching.run.evaluation.predicted_calls["mlp"] == caching.run.sites["mlp"]


def test_a_list_of_which_a_call_leaves_out_the_last_block_says_so():
    caching = Bench(Toy([Double(), Double()], [Single()]), plan("#.", merge=True))
    caching(*inputs(), options={"skipped": [("double", 1)]})
    assert caching.run.notes == ["double_blocks: a call that leaves out its last block is computed"]

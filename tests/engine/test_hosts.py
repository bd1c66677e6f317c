"""Every host, on a mirror of its names: it is recognised, reached and left as it was. The same on the real classes:
tests/host/test_hosts.py."""

from collections import Counter

import pytest
import torch
from mirrors import Mirror, plant
from torch import nn
from toy import Bench, Marks

from cache_core import MODULES, Kind, Plan
from cache_core.errors import HostError
from cache_core.hosts import HOSTS, REFUSED, blocks_of, match, submodule
from cache_core.run.run import Run

STATES = "##a#m#.#"
WAN = next(host for host in HOSTS if host.name == "Wan")


SEPARABLE = [host for host in HOSTS if all(blocks.separable for blocks in host.blocks)]
MERGED_ONLY = [host for host in HOSTS if host not in SEPARABLE]


@pytest.fixture(params=HOSTS, ids=lambda host: host.name)
def host(request):
    return request.param


@pytest.fixture(params=SEPARABLE, ids=lambda host: host.name)
def separable(request):
    return request.param


@pytest.fixture(params=MERGED_ONLY, ids=lambda host: host.name)
def merged_only(request):
    return request.param


def inputs(seed=0, batch=2):
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 6, 8, generator=chance), torch.rand(batch, generator=chance)


def test_a_mirror_of_a_host_matches_that_host_alone(host):
    assert match(Mirror(host)) is host


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_a_family_that_only_looks_like_a_host_is_refused_with_its_reason_and_what_works(refused):
    model = Mirror(WAN)
    for need in refused.needs:
        plant(model, need, nn.Identity())
    with pytest.raises(HostError, match=f"{refused.name}.*{refused.why}.*AB-Cache Apply"):
        match(model)


def test_every_path_of_a_host_resolves(host):
    model = Mirror(host)
    for spec in host.blocks:
        assert len(blocks_of(model, spec)) == 2
        assert all(
            submodule(block, need) is not None
            for block in blocks_of(model, spec)
            for mount in spec.mounts
            for need in mount.needs
        )


def test_no_two_hosts_have_the_same_name_and_each_says_what_users_know_it_as():
    assert len({host.name for host in HOSTS}) == len(HOSTS)
    assert all(host.models and host.classes for host in HOSTS)


def test_every_site_fires_once_in_a_call_of_the_model(separable, monkeypatch):
    fired, remember = Counter(), Run.remember

    def counted(self, kind, site, value):
        fired[kind, site] += 1
        return remember(self, kind, site, value)

    monkeypatch.setattr(Run, "remember", counted)
    bench = Bench(Mirror(separable), Plan(Marks("#.")))
    bench(*inputs())
    assert set(fired.values()) == {1}
    assert Counter(kind for kind, _ in fired if kind in MODULES) == Counter(
        {kind: bench.run.sites[kind] for kind in MODULES}
    )


def test_computing_everything_changes_nothing(host):
    model = Mirror(host)
    bench = Bench(model, Plan(Marks("")))
    for seed in range(3):
        assert torch.equal(bench(*inputs(seed)), model(*inputs(seed), {}))


@pytest.mark.parametrize("merge", [False, True])
def test_every_state_replays_what_was_computed_from_the_same_input(separable, merge):
    model = Mirror(separable)
    bench = Bench(model, Plan(Marks(STATES if not merge else "##.#..#."), merge=merge))
    wanted = model(*inputs(), {})
    for _ in range(8):
        torch.testing.assert_close(bench(*inputs()), wanted, atol=1e-5, rtol=1e-5)
    assert bench.run.demotions == []
    assert bench.run.merged == merge


@pytest.mark.parametrize("mark", "am.")
def test_what_is_predicted_is_not_computed_from_the_new_input(separable, mark):
    model = Mirror(separable)
    bench = Bench(model, Plan(Marks(f"#{mark}")))
    bench(*inputs(1))
    assert not torch.allclose(bench(*inputs(2)), model(*inputs(2), {}))
    assert bench.run.evaluation.predicted == {"a": MODULES - {"attention"}, "m": MODULES - {"mlp"}, ".": MODULES}[mark]


def test_modules_are_left_as_they_were(host):
    model = Mirror(host)
    bench = Bench(model, Plan(Marks(STATES)))
    for seed in range(8):
        bench(*inputs(seed))
    assert not any("forward" in module.__dict__ for module in model.modules())


@pytest.mark.parametrize("marks", ["##.#..#.", STATES], ids=["together", "apart"])
def test_blocks_that_cannot_be_taken_apart_are_merged_where_both_kinds_are_predicted(merged_only, marks):
    model = Mirror(merged_only)
    bench = Bench(model, Plan(Marks(marks)))
    wanted = model(*inputs(), {})
    for mark in marks:
        torch.testing.assert_close(bench(*inputs()), wanted, atol=1e-5, rtol=1e-5)
        assert bool(bench.run.evaluation.predicted_calls) == (mark == ".")
    assert bench.run.merged
    assert ["cannot be told apart" in text for text in bench.run.demotions] == [True]


def test_blocks_that_cannot_be_taken_apart_are_merged_without_a_word_if_the_plan_merges(merged_only):
    model = Mirror(merged_only)
    bench = Bench(model, Plan(Marks("#."), merge=True))
    assert bench.run.demotions == []
    bench(*inputs(1))
    assert not torch.allclose(bench(*inputs(2)), model(*inputs(2), {}))
    assert bench.run.evaluation.predicted_calls == {kind: bench.run.sites[kind] for kind in MODULES} | {
        Kind.BLOCKS: sum(len(blocks.carries) for blocks in merged_only.blocks)
    }


def test_blocks_that_cannot_be_taken_apart_are_computed_under_a_plan_that_never_predicts_both(merged_only):
    model = Mirror(merged_only)
    bench = Bench(model, Plan(Marks("#a#m#a")))
    for seed in range(6):
        assert torch.equal(bench(*inputs(seed)), model(*inputs(seed), {}))
    assert ["attention and mlp are computed" in text for text in bench.run.demotions] == [True]


def test_blocks_that_cannot_be_taken_apart_nor_merged_are_computed(merged_only):
    """Another node edits their streams."""
    model = Mirror(merged_only)
    bench = Bench(model, Plan(Marks("#.#."), merge=True))
    for seed in range(4):
        options = {"patches": {"double_block": [print]}}
        assert torch.equal(bench(*inputs(seed), options=options), model(*inputs(seed), {}))
    assert ["edits its streams" in text and "are computed" in text for text in bench.run.demotions] == [True]

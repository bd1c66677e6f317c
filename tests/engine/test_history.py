"""The samples of one site, and what is made of them."""

import pytest
import torch

from cache_core.store.history import History


def filled(depth, *samples, dtype=torch.float32):
    history = History(depth)
    for node, value in samples:
        history.push(node, torch.tensor([value], dtype=dtype))
    return history


def values(history):
    return [float(tensor) for tensor in history.tensors()]


def test_the_newest_sample_comes_first():
    history = filled(3, (0.9, 1.0), (0.8, 2.0), (0.7, 3.0))
    assert history.nodes == [0.7, 0.8, 0.9]
    assert values(history) == [3, 2, 1]


def test_no_more_samples_are_kept_than_the_depth():
    assert filled(2, (0.9, 1.0), (0.8, 2.0), (0.7, 3.0)).nodes == [0.7, 0.8]


@pytest.mark.parametrize("again", [0.8, 0.8 * (1 + 1e-7)])
def test_a_repeated_node_replaces_its_older_sample(again):
    history = filled(3, (0.9, 1.0), (0.8, 2.0), (again, 5.0))
    assert history.nodes == [again, 0.9]
    assert values(history) == [5, 1]


def test_a_node_gone_back_to_becomes_the_newest():
    assert filled(3, (0.9, 1.0), (0.8, 2.0), (0.9, 5.0)).nodes == [0.9, 0.8]


def test_nodes_close_to_zero_are_told_apart():
    assert filled(3, (2e-7, 1.0), (1e-7, 2.0), (0.0, 3.0)).nodes == [0.0, 1e-7, 2e-7]


def test_the_combination_is_the_weighted_sum_of_the_newest_samples():
    history = filled(3, (0.9, 1.0), (0.8, 10.0), (0.7, 100.0))
    assert float(history.combine((2, -1))) == 190
    assert float(history.combine((3, -3, 1))) == 271
    assert float(history.combine((1,))) == 100


@pytest.mark.parametrize("weights", [(1,), (1.0, 0.0), (2, -1)])
def test_a_combination_is_a_fresh_tensor(weights):
    history = filled(2, (0.9, 1.0), (0.8, 10.0))
    history.combine(weights).zero_()
    assert values(history) == [10, 1]


def test_low_precision_samples_are_summed_in_float32_and_given_back_in_their_own_type():
    history = filled(3, (0.9, 256.0), (0.8, 1.0), (0.7, 256.0), dtype=torch.bfloat16)
    combined = history.combine((1, 1, -1))
    assert combined.dtype == torch.bfloat16
    assert float(combined) == 1  # in bfloat16, 256 + 1 = 256


def test_a_push_returns_by_how_much_the_history_grew():
    history = History(2)
    values = [torch.zeros(n) for n in (10, 20, 5)]
    assert [history.push(node, value) for node, value in zip((3.0, 2.0, 1.0), values, strict=True)] == [40, 80, -20]
    assert history.bytes == 100

"""The samples of one site, the forms in which they are kept, and what is made of them."""

import pytest
import torch

from cache_core.store.eight_bit import FP8, coded_fraction, dequantise, held, quantise
from cache_core.store.history import History
from cache_core.store.value import PLAIN, Form

FORMS = [Form(offloaded, codes) for offloaded in (False, True) for codes in (None, torch.int8, FP8)]
GROUP = 64  # features that share a scale, if it divides their number


def filled(depth, *samples, dtype=torch.float32, form=PLAIN):
    history = History(depth)
    for node, value in samples:
        history.push(node, torch.tensor([value], dtype=dtype), form)
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


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(("weights", "wanted"), [((1,), 10), ((1.0, 0.0), 10), ((2, -1), 19)])
def test_a_combination_is_a_fresh_tensor(weights, wanted, form):
    history = filled(2, (0.9, 1.0), (0.8, 10.0), dtype=torch.bfloat16, form=form)
    history.combine(weights).zero_()
    assert float(history.combine(weights)) == wanted
    assert history.combine(weights).dtype == torch.bfloat16


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_sample_is_a_copy(form):
    history, value = History(1), torch.tensor([10.0])
    history.push(0.9, value, form)
    value.zero_()
    assert float(history.combine((1,))) == pytest.approx(10)


def test_low_precision_samples_are_summed_in_float32_and_given_back_in_their_own_type():
    history = filled(3, (0.9, 256.0), (0.8, 1.0), (0.7, 256.0), dtype=torch.bfloat16)
    combined = history.combine((1, 1, -1))
    assert combined.dtype == torch.bfloat16
    assert float(combined) == 1  # in bfloat16, 256 + 1 = 256


@pytest.mark.parametrize("form", [PLAIN, Form(offloaded=True)], ids=["plain", "offloaded"])
def test_the_bytes_of_a_history_are_those_of_its_samples_where_they_are(form):
    history, found = History(2), []
    for node in (3.0, 2.0, 1.0):
        history.push(node, torch.zeros(10), form)
        found.append((history.device_bytes, history.host_bytes))
    assert found == [(size, 0) if form is PLAIN else (0, size) for size in (40, 80, 80)]


OTHERS = {
    "shape": torch.zeros(1, 5, 64),
    "number type": torch.zeros(1, 4, 64, dtype=torch.float64),
    "device": torch.zeros(1, 4, 64, device="meta"),
}


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("other", ["shape", "number type", "device"])
def test_a_sample_of_another_make_starts_the_history_anew(other, form):
    if other == "device" and form.offloaded:
        pytest.skip("nothing can be copied from the meta device")
    history = History(3)
    for node in (0.9, 0.8):
        history.push(node, torch.ones(1, 4, 64), form)
    history.push(0.7, OTHERS[other], form)
    assert history.nodes == [0.7]
    assert history.device_bytes + history.host_bytes == history.kept[0].bytes
    history.push(0.6, OTHERS[other], form)
    assert history.nodes == [0.6, 0.7]


@pytest.mark.parametrize("node", [0.8, 0.7], ids=["the same node", "another node"])
def test_what_falls_out_makes_room_before_a_sample_is_copied(node, monkeypatch):
    history, clone, left = filled(1, (0.8, 1.0)), torch.Tensor.clone, []

    def watched(self):
        left.append(values(history))
        return clone(self)

    monkeypatch.setattr(torch.Tensor, "clone", watched)
    history.push(node, torch.ones(1))
    assert left == [[]]


def noise(*shape, spread=3.0):
    """Values of very different sizes."""
    chance = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=chance) * torch.exp(spread * torch.randn(shape, generator=chance))


def groups(value):
    width = value.shape[-1]
    return value.unflatten(-1, (-1, width if width % GROUP else GROUP))


def coded(value, codes):
    return dequantise(*quantise(value, codes), value.dtype)


@pytest.mark.parametrize("width", [1, 7, 64, 100, 128])
def test_int8_is_off_by_half_a_step_of_its_group_at_most(width):
    value = noise(2, 5, width)
    step = groups(value).abs().amax(-1, keepdim=True) / 127
    assert (groups(coded(value, torch.int8) - value).abs() <= 0.5001 * step).all()


@pytest.mark.parametrize("width", [1, 7, 64, 100, 128])
def test_fp8_is_off_by_a_sixteenth_of_each_feature_at_most(width):
    assert FP8.itemsize == 1
    value = noise(2, 5, width)
    # half the distance of the numbers next to zero
    smallest = groups(value).abs().amax(-1, keepdim=True) / 448 * 2**-10
    assert (groups(coded(value, FP8) - value).abs() <= 1.0001 * (groups(value).abs() / 16).maximum(smallest)).all()


@pytest.mark.parametrize("codes", [torch.int8, FP8])
@pytest.mark.parametrize(
    "value",
    [torch.zeros(2, 128), torch.full((2, 100), 1e-41), torch.full((2, 64), -3e38)],
    ids=["zero", "tiny", "huge"],
)
def test_values_at_the_ends_of_the_numbers_stay_finite(value, codes):
    torch.testing.assert_close(coded(value, codes), value, rtol=1e-3, atol=1e-38)


@pytest.mark.parametrize("codes", [torch.int8, FP8])
def test_the_largest_feature_of_a_group_is_exact(codes):
    value = groups(noise(3, 192))
    place = value.abs().argmax(-1, keepdim=True)
    torch.testing.assert_close(
        groups(coded(value.flatten(-2), codes)).gather(-1, place), value.gather(-1, place), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("codes", [torch.int8, FP8])
def test_an_outlier_spoils_its_own_group_alone(codes):
    value = noise(1, 256, spread=0.0)
    spoilt = value.clone()
    spoilt[0, 70] = 1e4
    same = (groups(coded(spoilt, codes)) == groups(coded(value, codes))).all(-1)
    assert same.tolist() == [[True, False, True, True]]


def test_a_device_that_cannot_hold_fp8_holds_int8():
    assert [held(FP8, torch.device(kind)) for kind in ("cpu", "cuda", "mps")] == [FP8, FP8, torch.int8]


@pytest.mark.parametrize("codes", [torch.int8, FP8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [8, 64, 100, 256])
def test_the_share_of_a_coded_value_is_that_of_its_storages(width, dtype, codes):
    value = torch.ones(3, 5, width, dtype=dtype)
    parts = quantise(value, codes)
    stored = sum(part.untyped_storage().nbytes() for part in parts)
    assert stored == value.nbytes * coded_fraction(width, dtype.itemsize)
    assert dequantise(*parts, dtype).dtype == dtype

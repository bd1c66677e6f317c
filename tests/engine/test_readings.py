"""Readings of the indicators, and SeaCache's filter, by hand."""

import pytest
import torch

from cache_core import Timeline
from cache_core.run import readings
from cache_core.run.readings import UNKNOWN, Changed, Displaced, Foretold, distance, on_grid, reader_of
from cache_core.run.spectral import filtered, gain, weights
from cache_core.schedule import Filtered, Modulated
from cache_core.schedule.adaptive import Disagreement


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_distance_is_the_mean_of_the_change_over_the_mean_of_the_reference():
    a, b = torch.tensor([1.0, -3.0]), torch.tensor([2.0, -2.0])
    assert distance(a, b) == pytest.approx(2 / 4)
    assert distance(b, a) == pytest.approx(2 / 4)
    assert distance(a, None) == distance(a, torch.ones(3)) == distance(a, a.double()) == UNKNOWN


def test_it_is_summed_in_float32_piece_by_piece(monkeypatch):
    a, b = noise(2, 999).bfloat16(), noise(2, 999, seed=1).bfloat16()
    exact = float((a.double() - b.double()).abs().sum() / b.double().abs().sum())
    monkeypatch.setattr(readings, "CHUNK", 100)
    assert distance(a, b) == pytest.approx(exact, rel=1e-5)


def test_a_change_is_since_the_evaluation_before_computed_or_not():
    reader = Changed(Modulated())
    read = [reader.read(torch.full((1, 4, 2), value), 1.0, 1.0, False) for value in (1.0, 2.0, 3.0)]
    assert read == [UNKNOWN, 1.0, 0.5]


def test_of_a_large_input_evenly_taken_tokens_are_kept(monkeypatch):
    monkeypatch.setattr(readings, "MOST", 100)
    reader, value = Changed(Modulated()), noise(1, 60, 10)
    reader.read(value, 1.0, 1.0, False)
    assert reader._before.shape == (1, 10, 10)
    assert reader.read(1.25 * value, 1.0, 1.0, False) == pytest.approx(0.25)


def test_a_displacement_is_from_the_state_computed_last():
    reader = Displaced()
    read = []
    for value, computed in ((1.0, True), (2.0, False), (3.0, True), (6.0, False)):
        read.append(reader.read(torch.full((1, 4), value), 1.0, 1.0, False))
        if computed:
            reader.computed()
    assert read == [UNKNOWN, 1.0, 2.0, 1.0]


def test_a_foreseen_change_is_the_known_one_for_a_linear_model():
    """For v = A x the ratio k is |A (x_1 - x_0)| / |x_1 - x_0| in one dimension: |A|."""
    slope, sigmas = 0.5, Timeline.even(10).sigmas
    reader, x, seen, last = Foretold(), torch.full((1, 1), 2.0), [], []
    for step, sigma in enumerate(sigmas[:-1]):
        seen.append(reader.read(x, sigma, sigma, False))
        last.append(float(x))
        if step < 3:
            reader.computed()
        x = x + (sigmas[step + 1] - sigma) * slope * x
    assert seen[:2] == [UNKNOWN, UNKNOWN]
    assert reader.ratio == pytest.approx(slope, rel=1e-4)
    # once step 2 is the last computed one: k |x - x_2| / |v_2|
    assert seen[5] == pytest.approx(slope * abs(last[5] - last[2]) / (slope * last[2]), rel=1e-4)


def test_a_state_of_another_shape_is_not_foreseen():
    reader = Foretold()
    for sigma, shape in zip((1.0, 0.9, 0.8, 0.7), ((1, 4), (1, 4), (1, 4), (1, 5)), strict=True):
        read = reader.read(noise(*shape), sigma, sigma, False)
        reader.computed()
    assert read == UNKNOWN


def test_outputs_are_read_elsewhere():
    with pytest.raises(TypeError):
        reader_of(Disagreement())


@pytest.mark.parametrize("time", [0.05, 0.5, 0.95])
def test_the_filter_is_the_published_one_for_every_frequency_but_zero(time):
    f, a, b = torch.fft.fftfreq(9, dtype=torch.float64).abs()[1:], 1 - time, time
    spectrum = f**-3.0
    assert torch.allclose(gain(9, time, 3.0)[1:], a * spectrum / (a**2 * spectrum + b**2))
    assert float(gain(9, time, 3.0)[0]) == pytest.approx(1 / a)  # its limit


def test_the_weights_of_a_grid_are_the_product_of_its_axes_over_their_mean():
    by = weights((4, 6), 0.5, 2.0)
    assert float(by.mean()) == pytest.approx(1.0)
    assert torch.allclose(by / by[0, 0], torch.outer(gain(4, 0.5, 2.0), gain(6, 0.5, 2.0)) * 0.25)


def test_without_noise_the_filter_leaves_everything_as_it_is_and_with_it_the_fine_goes_first():
    value = noise(1, 2, 8, 8)
    assert torch.allclose(filtered(value, 0.0, 2.0), value, atol=1e-5)
    coarse, fine = torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    fine[..., ::2, :] = -1
    kept = [float(filtered(x, 0.9, 2.0).abs().mean()) for x in (coarse, fine)]
    assert kept[0] > 10 * kept[1]


def test_forced_steps_are_left_unfiltered_as_released_or_not():
    value = noise(1, 2, 6, 6)
    for forced_too, expected in ((False, value), (True, filtered(value, 0.7, 2.0))):
        reader = Changed(Filtered(2.0, forced_too))
        reader.read(value, 0.7, 0.7, True)
        assert torch.equal(reader._before, expected)


def test_tokens_go_back_on_their_grid():
    latent = noise(2, 3, 4, 6)
    tokens = latent.unfold(2, 2, 2).unfold(3, 2, 2)[..., 0, 0].flatten(2).transpose(1, 2)  # one cell of each patch
    grid = on_grid(torch.cat((tokens, noise(2, 5, 3)), 1), (4, 6), 2)
    assert torch.equal(grid, latent[:, :, ::2, ::2])
    assert on_grid(noise(1, 2 * 3 * 4, 8), (2, 5, 7), (1, 2, 2)).shape == (1, 8, 2, 3, 4)  # padded to the patch
    assert on_grid(noise(1, 2 * 5 * 7, 8), (2, 5, 7), 1).shape == (1, 8, 2, 5, 7)
    assert on_grid(noise(1, 3, 8), (4, 6), 2) is on_grid(noise(1, 6, 8), (), 2) is None

"""Cache Compare: its numbers are the textbook's, and its pictures show what differs."""

import math

import pytest
import torch


def pictures(batch=2, height=24, width=32, seed=0):
    return torch.rand(batch, height, width, 3, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def compare(pack):
    """Difference, wipe, text, PSNR and SSIM of two batches of pictures."""
    node = pack.NODE_CLASS_MAPPINGS["CacheCompare"]()
    return lambda uncached, cached, amplify, at: node.compare(amplify, at, uncached, cached)["result"][:5]


def test_pictures_that_are_alike_say_so(compare):
    shown, wiped, text, psnr, ssim = compare(pictures(), pictures(), 4.0, 1.0)
    assert (psnr, ssim) == (100.0, pytest.approx(1.0))
    assert not shown.any()
    assert torch.equal(wiped, pictures())
    assert "nothing differs" in text


def test_psnr_is_that_of_the_mean_square_error_and_a_batch_gives_the_mean_and_the_worst(compare):
    reference = torch.full((2, 16, 16, 3), 0.5)
    cached = reference + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    _, _, text, psnr, _ = compare(reference, cached, 1.0, 0.5)
    assert psnr == pytest.approx((20 + 40) / 2, abs=1e-4)
    assert "worst: PSNR 20.00 dB" in text
    assert text.endswith("at 0")


def test_ssim_of_two_plain_pictures_is_wang_s_luminance_term(compare):
    a, b = 0.3, 0.6
    *_, ssim = compare(torch.full((1, 16, 16, 3), a), torch.full((1, 16, 16, 3), b), 1.0, 0.5)
    assert ssim == pytest.approx((2 * a * b + 0.01**2) / (a**2 + b**2 + 0.01**2), rel=1e-6)


def test_ssim_falls_with_noise_and_more_with_more_and_is_the_same_both_ways(compare):
    reference = pictures(1, 48, 48)
    noise = torch.randn(reference.shape, generator=torch.Generator().manual_seed(1))
    little, much = (compare(reference, (reference + s * noise).clamp(0, 1), 1.0, 0.5)[4] for s in (0.02, 0.2))
    assert 1 > little > much > 0
    assert compare((reference + 0.2 * noise).clamp(0, 1), reference, 1.0, 0.5)[4] == pytest.approx(much)


def test_the_difference_is_amplified_and_the_wipe_shows_one_picture_on_each_side(compare):
    a, b = torch.full((1, 16, 20, 3), 0.2), torch.full((1, 16, 20, 3), 0.3)
    shown, wiped, *_ = compare(a, b, 4.0, 0.5)
    torch.testing.assert_close(shown, torch.full_like(a, 0.4))
    assert (wiped[:, :, :10] == a[:, :, :10]).all()
    assert (wiped[:, :, 10] == 1).all()
    assert (wiped[:, :, 11:] == b[:, :, 11:]).all()
    assert torch.equal(compare(a, b, 4.0, 0.0)[1], b)
    assert math.isfinite(compare(a, b, 4.0, 0.5)[3])


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2, 24, 16, 3), "2 of 32 x 24 and cached is 2 of 16 x 24"), ((1, 24, 32, 3), "and cached is 1 of")],
)
def test_pictures_of_other_sizes_or_numbers_are_refused_with_both(compare, shape, message):
    with pytest.raises(ValueError, match=message):
        compare(pictures(), torch.zeros(shape), 1.0, 0.5)


def test_pictures_too_small_for_ssim_are_refused(compare):
    with pytest.raises(ValueError, match="11 x 11 at least"):
        compare(pictures(1, 8, 8), pictures(1, 8, 8), 1.0, 0.5)


@pytest.mark.parametrize(("one", "other"), [("uncached", "cached"), ("cached", "uncached")])
def test_one_picture_alone_is_refused_and_it_says_which_lacks(pack, one, other):
    with pytest.raises(ValueError, match=f"^{one} is connected and {other} has nothing to compare it with"):
        pack.NODE_CLASS_MAPPINGS["CacheCompare"]().compare(4.0, 0.5, **{one: pictures()})


def test_nothing_connected_is_refused_with_what_to_connect(pack):
    with pytest.raises(ValueError, match="uncached and cached, or uncached_audio and cached_audio"):
        pack.NODE_CLASS_MAPPINGS["CacheCompare"]().compare(4.0, 0.5)


def test_pictures_alone_have_no_numbers_of_sound_and_a_picture_says_so(pack):
    result = pack.NODE_CLASS_MAPPINGS["CacheCompare"]().compare(4.0, 0.5, pictures(), pictures())["result"]
    assert all(map(math.isnan, result[6:]))
    assert result[5].shape == (1, 36, 900, 3)
    assert result[5].min() < 0.5 < result[5].max()  # words
    assert "sound" not in result[2]

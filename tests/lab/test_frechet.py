"""The Frechet distance: Heusel's formula on Gaussians of known distance, and that it tells good pictures from worse
ones."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d

from lab.codec import decode, encode
from lab.families import FAMILIES, FLUX, HUNYUAN_VIDEO
from lab.frechet import Statistics, features, frechet, reference, statistics
from lab.scenes import CLASSES, draw


def gaussian(mean: Tensor, covariance: Tensor) -> Statistics:
    return Statistics(mean.double(), covariance.double(), 100)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def blurred(pictures: Tensor) -> Tensor:
    """Each pixel the mean of 5 x 5, in its own frame."""
    clips = pictures if pictures.ndim == 5 else pictures.unsqueeze(2)
    return avg_pool3d(clips, (1, 5, 5), 1, (0, 2, 2), count_include_pad=False).view_as(pictures)


@pytest.fixture(scope="module")
def drawn():
    return reference(FLUX, 180, seed=1)


def test_axes_in_common_add_the_squared_differences_of_their_deviations():
    axes = torch.linalg.qr(normal(7, 7)).Q
    means, deviations = normal(2, 7, seed=2), normal(2, 7, seed=3).abs()
    a, b = (gaussian(m, (axes * d**2) @ axes.T) for m, d in zip(means, deviations, strict=True))
    expected = (means[0] - means[1]).square().sum() + (deviations[0] - deviations[1]).square().sum()
    assert frechet(a, b) == pytest.approx(float(expected), rel=1e-10)


def test_in_two_dimensions_without_common_axes_it_is_the_closed_form():
    """There tr sqrt(M) = sqrt(tr M + 2 sqrt(det M)), here of M = C1 C2."""
    c1, c2 = torch.tensor([[2.0, 1.0], [1.0, 1.0]]).double(), torch.tensor([[1.0, -1.0], [-1.0, 5.0]]).double()
    product = c1 @ c2
    expected = 9 + 16 + c1.trace() + c2.trace() - 2 * (product.trace() + 2 * product.det().sqrt()).sqrt()
    assert frechet(gaussian(torch.tensor([0, 0]), c1), gaussian(torch.tensor([3, 4]), c2)) == pytest.approx(
        float(expected), rel=1e-12
    )


def test_points_are_as_far_apart_as_their_means():
    a, b = (gaussian(torch.tensor([x, 0.0]), torch.zeros(2, 2)) for x in (0.0, 3.0))
    assert frechet(a, b) == 9.0


def test_a_set_is_at_no_distance_from_itself_though_smaller_than_its_features(drawn):
    few, turned = statistics(drawn[:24]), statistics(drawn[:24].flip(0))
    assert frechet(few, few) <= 1e-6
    assert frechet(few, turned) <= 1e-6  # the order of the pictures is no difference


def test_the_distance_is_symmetric(drawn):
    a, b = statistics(drawn[:24]), statistics(blurred(drawn[24:72]))
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)


@pytest.mark.parametrize(("family", "count", "ratio"), [(FLUX, 144, 6), (HUNYUAN_VIDEO, 24, 2)], ids=FAMILIES)
def test_scenes_of_another_seed_are_near_and_spoilt_ones_far(family, count, ratio):
    base, other = statistics(reference(family, count, seed=1)), reference(family, count, seed=2)
    near, noise = frechet(base, statistics(other)), normal(*other.shape).float()
    assert near < frechet(base, statistics(blurred(other))) / ratio
    assert near < frechet(base, statistics(other + 0.1 * noise)) / 30
    assert near < frechet(base, statistics(noise)) / 500


def test_more_pictures_of_one_distribution_are_nearer(drawn):
    few, many = (frechet(statistics(drawn[:count]), statistics(reference(FLUX, count, seed=2))) for count in (45, 180))
    assert many < few / 2


def test_the_features_are_the_same_every_time_and_those_of_each_picture_alone(drawn):
    found = features(drawn[:24])
    assert torch.equal(found, features(drawn[:24]))
    torch.testing.assert_close(found[11:13], features(drawn[11:13]), atol=1e-4, rtol=1e-4)


def test_the_features_are_those_of_the_distances_on_record():
    """Their sums over twelve scenes, written down: another network, or another draw of it, would change every
    distance measured so far."""
    found = features(reference(FLUX, 12, seed=1)).double()
    assert found.shape == (12, 134)
    assert float(found[:, :6].sum()) == pytest.approx(12.590, abs=0.002)
    assert float(found[:, 6:].sum()) == pytest.approx(595.06, abs=0.1)


def test_a_plain_colour_has_no_edges():
    plain = torch.tensor([0.5, -0.2, 0.9]).view(1, 3, 1, 1).expand(2, 3, 64, 64)
    found = features(plain)
    torch.testing.assert_close(found[:, :3], plain[:, :, 0, 0])
    assert found[:, 3:].abs().max() < 1e-3


def test_a_still_clip_has_the_features_of_its_picture_and_no_change():
    pictures = reference(FLUX, 12, seed=1)
    still = features(pictures.unsqueeze(2).expand(-1, -1, 5, -1, -1))
    torch.testing.assert_close(still[:, :134], features(pictures), atol=1e-4, rtol=1e-4)
    assert not still[:, 134:].any()


def test_clips_that_stand_still_are_far_from_moving_ones():
    moving, other = (reference(HUNYUAN_VIDEO, 18, seed) for seed in (1, 2))
    base, still = statistics(moving), other[:, :, :1].expand_as(other)
    assert frechet(base, statistics(other)) < frechet(base, statistics(still)) / 3


def test_the_reference_is_the_classes_in_turn_as_the_codec_shows_them():
    labels = torch.arange(30) % len(CLASSES)
    shown = decode(encode(draw(labels, torch.Generator().manual_seed(3)))).clamp(-1, 1)
    torch.testing.assert_close(reference(FLUX, 30, seed=3), shown)
    assert reference(HUNYUAN_VIDEO, 3, seed=3).shape == (3, 3, 5, 64, 64)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="at least 2 pictures; there is 1"):
        statistics(reference(FLUX, 1, seed=1))
    pictures, clips = (statistics(reference(family, 2, seed=1)) for family in (FLUX, HUNYUAN_VIDEO))
    with pytest.raises(ValueError, match="of 134 and of 268"):
        frechet(pictures, clips)

"""Drawn clips with sound, and the lab's MiniMax H3 that was trained on them."""

import pytest
import torch

from lab import codec, packed, tones
from lab.families import MINIMAX_H3
from lab.minimax_h3 import MiniMaxH3
from lab.sample import flow_sigmas, load, noise_of, sample
from lab.scenes import CLASSES, film, moving

LABELS = torch.arange(len(CLASSES))
STILL = torch.zeros(len(CLASSES), 3)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def loudest(levels):
    """The loudest band `(B, T)`, both sides together."""
    return levels.sum(2).argmax(1)


def test_a_seed_sounds_the_same_and_another_one_different():
    motion = moving(LABELS, generator(), 3)[1]
    assert torch.equal(tones.levels(LABELS, motion, generator()), tones.levels(LABELS, motion, generator()))
    assert not torch.equal(tones.levels(LABELS, motion, generator()), tones.levels(LABELS, motion, generator(2)))


def test_classes_differ_in_pitch():
    found = loudest(tones.levels(LABELS, STILL, generator()))[:, 4:].float().median(1).values
    assert len(set(found.tolist())) >= 4


@pytest.mark.parametrize("right", [-0.8, 0.8])
def test_the_sound_moves_to_where_the_shape_moves(right):
    motion = STILL + torch.tensor([right, 0.0, 0.0])
    halves = tones.levels(LABELS, motion, generator()).unflatten(3, (2, 6)).sum((1, 4))  # (B, side, half)
    balance = halves[:, 1] / halves.sum(1)
    assert ((balance[:, 1] - balance[:, 0]) * right > 0).all()


def test_the_sound_rises_with_the_shape():
    up, down = (
        (loudest(tones.levels(LABELS, STILL + torch.tensor([0.0, way, 0.0]), generator())).float().diff(dim=1).sum())
        for way in (-0.9, 0.9)
    )
    assert up > down


def test_clips_of_film_and_their_motion_are_one():
    clips, motion = moving(LABELS, generator(), 3)
    assert torch.equal(clips, film(LABELS, generator(), 3))
    assert motion.shape == (len(CLASSES), 3)
    assert (motion[:, :2].norm(dim=1) >= 0.4 - 1e-6).all()
    assert (motion[:, :2].norm(dim=1) <= 0.9 + 1e-6).all()


def test_latents_have_a_variance_of_one_and_lose_no_sound():
    many = LABELS.repeat(40)
    clips, levels = packed.drawn(many, generator())
    latents = packed.encode(clips, levels)
    assert latents.shape == (len(many), *packed.LATENTS)
    for part in packed.unpack(latents):
        assert float(part.std()) == pytest.approx(1, abs=0.05)
    torch.testing.assert_close(tones.decode(tones.encode(levels)), levels, atol=1e-5, rtol=1e-5)


def test_what_is_packed_comes_out_and_the_sampler_carries_the_sound_louder():
    clips, levels = packed.drawn(LABELS, generator())
    video, audio = packed.unpack(packed.encode(clips, levels))
    seen, heard = packed.decode(packed.pack(video, packed.CARRIED * audio))
    torch.testing.assert_close(seen, codec.decode(codec.encode(clips)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(heard, levels, atol=1e-4, rtol=1e-4)


def test_the_carried_sound_ends_where_its_own_schedule_does():
    """A model whose clean sound is known: the velocity of the carried one leads straight to it, carried."""

    class Known(MiniMaxH3):
        def streams(self, x, times, context, transformer_options=None):
            return (x - clean) / self.sigmas(times)

    clean = packed.encode(*packed.drawn(LABELS, generator()))
    noise, sigmas = noise_of(LABELS.tolist(), packed.LATENTS), flow_sigmas(7, packed.SHIFT)
    found, _ = sample(Known(), noise, LABELS, sigmas)
    video, audio = packed.unpack(clean)
    torch.testing.assert_close(found, packed.pack(video, packed.CARRIED * audio), atol=1e-4, rtol=1e-4)


def test_the_weights_are_small_and_say_how_they_were_trained():
    model, facts = load(MINIMAX_H3)
    assert MINIMAX_H3.weights.stat().st_size <= 12e6
    assert sum(p.numel() for p in model.parameters()) == 2_301_192
    assert facts["steps"] > 1000


@pytest.fixture(scope="module")
def sampled():
    noise = noise_of(list(range(len(CLASSES))), packed.LATENTS)
    return packed.decode(sample(load(MINIMAX_H3)[0], noise, LABELS, flow_sigmas(20, packed.SHIFT), guidance=3.0)[0])


def test_sampled_clips_are_as_smooth_as_drawn_ones(sampled):
    def roughness(clips, dim):
        return float(clips.diff(dim=dim).abs().mean() / clips.std())

    drawn = packed.drawn(LABELS.repeat(8), generator())[0]
    assert 0.6 < float(sampled[0].std() / drawn.std()) < 1.4
    for dim in (-1, 2):
        assert roughness(sampled[0], dim) < 1.5 * roughness(drawn, dim)


def test_each_class_sounds_like_itself(sampled):
    """The mean spectrum of a sampled sound is nearest to that of drawn ones of its own class, for most."""
    many = LABELS.repeat(40)
    drawn = packed.drawn(many, generator())[1].mean((2, 3)).view(40, len(CLASSES), -1).mean(0)
    apart = torch.cdist(sampled[1].mean((2, 3)), drawn)
    assert int((apart.argsort(1)[:, :3] == LABELS[:, None]).any(1).sum()) >= 8

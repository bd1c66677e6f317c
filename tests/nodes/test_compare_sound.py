"""Cache Compare of sounds: its numbers are those of their formulas, and the spectrograms show what differs."""

import math

import pytest
import torch

RATE = 16000


def audio(wave, rate=RATE):
    """ComfyUI's AUDIO, of one channel unless the wave has more."""
    return {"waveform": wave if wave.dim() == 3 else wave.view(1, 1, -1), "sample_rate": rate}


def tone(hertz=440.0, phase=0.0, samples=RATE):
    return 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(samples) / RATE + phase)


def noise(*shape, seed=0):
    return 0.1 * torch.randn(*(shape or (RATE,)), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def node(pack):
    return pack.NODE_CLASS_MAPPINGS["CacheCompare"]()


@pytest.fixture
def listen(node):
    """Text, spectrograms, spectral cosine and RMS ratio of two AUDIO."""

    def done(uncached, cached):
        *_, text, _, _, drawn, cosine, ratio = node.compare(4.0, 0.5, uncached_audio=uncached, cached_audio=cached)[
            "result"
        ]
        return text, drawn, cosine, ratio

    return done


def test_sounds_that_are_alike_say_so(listen):
    text, drawn, cosine, ratio = listen(audio(noise()), audio(noise()))
    assert (cosine, ratio) == (pytest.approx(1.0), pytest.approx(1.0))
    assert text == "sound: PSNR 100.00 dB, spectral cosine 1.0000, RMS ratio 1.000\nnothing differs in the sound"
    assert drawn.shape == (1, 3 * 216 + 34, 900, 3)
    assert 0 <= drawn.min() <= drawn.max() <= 1


@pytest.mark.parametrize("gain", [0.25, 0.9, 1.5])
def test_a_quieter_sound_has_the_same_spectrum_and_its_gain_as_rms_ratio(listen, gain):
    text, _, cosine, ratio = listen(audio(noise()), audio(gain * noise()))
    assert cosine == pytest.approx(1.0, abs=1e-6)
    assert ratio == pytest.approx(gain, rel=1e-6)
    assert "nothing differs" not in text


def test_psnr_of_a_wave_takes_its_range_as_two(listen):
    wave = noise().double()
    text, *_ = listen(audio(wave), audio(wave + 0.02))
    assert f"PSNR {20 * math.log10(2 / 0.02):.2f} dB" in text


def test_the_spectral_cosine_does_not_hear_a_phase(listen):
    text, _, cosine, ratio = listen(audio(tone()), audio(tone(phase=math.pi / 2)))
    assert cosine == pytest.approx(1.0, abs=1e-3)  # but for the windows at both ends
    assert ratio == pytest.approx(1.0, rel=1e-4)
    assert "PSNR 12.04 dB" in text  # 10 log10(2^2 / 0.5^2): PSNR does


def test_other_sounds_have_a_low_spectral_cosine(listen):
    assert listen(audio(tone()), audio(noise()))[2] < 0.2
    assert listen(audio(tone(440)), audio(tone(3000)))[2] < 0.05


def test_the_spectral_cosine_falls_with_noise_and_more_with_more(listen):
    little, much = (listen(audio(tone()), audio(tone() + x * noise()))[2] for x in (0.1, 1.0))
    assert 1 > little > much > 0


def test_silence_is_like_silence_and_like_nothing_else(listen):
    silence, heard = torch.zeros(RATE), noise()
    assert listen(audio(silence), audio(silence))[2:] == (1.0, 1.0)
    _, drawn, cosine, ratio = listen(audio(heard), audio(silence))
    assert 0 <= cosine < 0.01
    assert 0 < ratio < 0.001
    assert drawn.isfinite().all()
    _, _, cosine, ratio = listen(audio(silence), audio(heard))
    assert cosine < 0.01
    assert ratio == pytest.approx(float(heard.square().mean().sqrt()) * 2**15, rel=1e-4)


def test_what_16_bits_cannot_hold_is_silence(listen):
    _, _, cosine, ratio = listen(audio(1e-6 * noise(seed=1)), audio(1e-6 * noise(seed=2)))
    assert (cosine, ratio) == (pytest.approx(1.0, abs=1e-3), 1.0)


def test_numbers_are_means_over_channels_and_batch_and_the_worst_is_named(listen):
    wave = noise(2, 2, RATE)
    cached = wave.clone()
    cached[1, 0] *= 0.5
    cached[1, 1] = tone()
    text, drawn, cosine, ratio = listen(audio(wave), audio(cached))
    loud = float(tone().square().mean().sqrt() / wave[1, 1].square().mean().sqrt())
    assert ratio == pytest.approx((1 + (0.5 + loud) / 2) / 2, rel=1e-4)
    alone = listen(audio(wave[1:, 1:]), audio(cached[1:, 1:]))
    assert cosine == pytest.approx((1 + (1 + alone[2]) / 2) / 2, abs=1e-5)
    assert text.endswith(", at 1")
    assert torch.equal(drawn, listen(audio(wave[1:]), audio(cached[1:]))[1])


def test_the_lowest_panel_is_dark_where_nothing_differs_and_orange_where_the_cached_sound_is_louder(listen):
    same, louder, quieter = (listen(audio(noise()), audio(x * noise()))[1][0] for x in (1.0, 4.0, 0.25))
    panel = (slice(-214, -34), slice(80, 880))  # 180 rows above the times
    assert torch.equal(same[panel].unique(dim=0).unique(dim=1).flatten(), torch.tensor([16, 20, 24]) / 255)
    red, _, blue = louder[panel].mean((0, 1))
    assert red > 2 * blue
    red, _, blue = quieter[panel].mean((0, 1))
    assert blue > 2 * red


def test_a_tone_is_a_line_at_its_frequency(pack):
    show = __import__(f"{pack.__name__}.cache_core.show.spectrogram", fromlist=["levels"])
    levels = show.levels(tone(1000.0).view(1, -1), RATE)
    row = int(levels.mean(1).argmax())
    mel = [2595 * math.log10(1 + f / 700) for f in (1000, RATE / 2)]
    assert row == pytest.approx(180 * (1 - mel[0] / mel[1]), abs=1.5)
    assert levels[row].mean() > levels[row - 30].mean() + 60


def test_the_colours_of_a_spectrogram_grow_lighter_evenly(pack):
    show = __import__(f"{pack.__name__}.cache_core.show.spectrogram", fromlist=["coloured"])
    rgb = show.coloured(torch.linspace(0, 1, 101), show.HEAT) / 255
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    light = linear @ torch.tensor([0.2126, 0.7152, 0.0722], dtype=torch.float64)
    cie = torch.where(light > 216 / 24389, 116 * light ** (1 / 3) - 16, light * 24389 / 27)  # L*, 0 to 100
    assert (cie - torch.linspace(0, 98, 101)).abs().max() < 7
    assert (cie.diff() > 0.4).all()


@pytest.mark.parametrize("samples", [1, 100, 2048])
def test_short_sounds_are_compared(listen, samples):
    _, drawn, cosine, ratio = listen(audio(noise(samples)), audio(0.5 * noise(samples)))
    assert (cosine, ratio) == (pytest.approx(1.0, abs=1e-4), pytest.approx(0.5, rel=1e-4))
    assert drawn.isfinite().all()


def test_lengths_that_differ_a_little_are_compared_as_far_as_both_go_and_it_says_so(listen):
    text, _, cosine, _ = listen(audio(noise()), audio(noise()[:-1600]))
    assert cosine == pytest.approx(1.0)
    assert "compared as far as both go: uncached_audio lasts 1.000 s, cached_audio 0.900 s" in text


@pytest.mark.parametrize(
    ("cached", "message"),
    [
        (audio(noise(), 44100), "uncached_audio has 16000 samples a second and cached_audio 44100.*Resample"),
        (audio(noise(1, 2, RATE)), "1 of 1 channels and cached_audio is 1 of 2 channels"),
        (audio(noise(2, 1, RATE)), "1 of 1 channels and cached_audio is 2 of 1 channels"),
        (audio(noise(RATE - 1601)), "lasts 1.000 s and cached_audio 0.900 s.*Trim"),
        (audio(torch.zeros(0)), "cached_audio has no samples"),
        (audio(noise() / 0), "cached_audio has samples that are no finite numbers"),
        (None, "uncached_audio is connected and cached_audio has nothing"),
    ],
)
def test_sounds_that_cannot_be_compared_are_refused_and_it_says_why(listen, cached, message):
    with pytest.raises(ValueError, match=message):
        listen(audio(noise()), cached)


def test_pictures_and_sounds_together_are_both_told(node):
    pictures = torch.rand(1, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    alone = node.compare(4.0, 0.5, pictures, pictures.flip(1))["result"]
    both = node.compare(4.0, 0.5, pictures, pictures.flip(1), audio(noise()), audio(0.5 * noise()))["result"]
    assert both[2].splitlines()[0] == alone[2]
    assert both[2].splitlines()[1].startswith("sound: PSNR ")
    assert both[3:5] == alone[3:5]
    assert both[7] == pytest.approx(0.5)


def test_sounds_alone_have_no_numbers_of_pictures_and_a_picture_says_so(node):
    drawn, wiped, text, *numbers = node.compare(4.0, 0.5, uncached_audio=audio(noise()), cached_audio=audio(noise()))[
        "result"
    ][:5]
    assert all(map(math.isnan, numbers))
    assert drawn.shape == wiped.shape == (1, 36, 900, 3)
    assert text.startswith("sound: ")

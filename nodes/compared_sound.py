"""The half of Cache Compare that is about sound."""

from typing import NamedTuple

from torch import Tensor, nan

from ..cache_core.errors import ConfigError
from ..cache_core.show.chart import lines, picture
from ..cache_core.show.similarity import psnr
from ..cache_core.show.sound import PEAK, rms_ratio, spectral_cosine
from ..cache_core.show.spectrogram import spectrograms

MOST = 100.0  # dB, where nothing differs
SLACK = 0.1  # seconds by which two lengths may differ
NO_SOUND = "No sound was compared: connect uncached_audio and cached_audio."
UNCACHED, CACHED = "uncached_audio", "cached_audio"


class Half(NamedTuple):
    """Findings of Cache Compare on a pair, of pictures or of sounds.

    `text`: empty where there is no pair. `drawn`: its output pictures. `numbers`: NaN where there is no pair.
    """

    text: str
    drawn: tuple[Tensor, ...]
    numbers: tuple[float, float]
    worst: int = 0


def absent(words: str, pictures: int) -> Half:
    """Stand-in for a pair that is not connected: as many `pictures` of these words, and no numbers."""
    return Half("", (picture(lines(words)),) * pictures, (nan, nan))


def both(pair: dict[str, object]) -> bool:
    """True where both inputs are connected, False where none is. Raises ConfigError for one of two."""
    there = [name for name, given in pair.items() if given is not None]
    if len(there) == 1:
        lacking = next(name for name in pair if name not in there)
        raise ConfigError(
            f"{there[0]} is connected and {lacking} has nothing to compare it with; connect both or none."
        )
    return bool(there)


def compared_sounds(uncached: dict, cached: dict) -> Half:
    """Numbers and spectrograms of two of ComfyUI's AUDIO."""
    told, waves, reference, rate = _alike(uncached, cached)
    near = psnr(waves, reference, PEAK).clamp(max=MOST)
    spectra, loud = spectral_cosine(waves, reference), rms_ratio(waves, reference)
    worst = int(spectra.argmin())

    def words(pick) -> str:
        return f"PSNR {pick(near):.2f} dB, spectral cosine {pick(spectra):.4f}, RMS ratio {pick(loud):.3f}"

    said = [f"sound: {words(lambda x: float(x.mean()))}"]
    if len(waves) > 1:
        said.append(f"mean of {len(waves)}; worst: {words(lambda x: float(x[worst]))}, at {worst}")
    if bool((waves == reference).all()):
        said.append("nothing differs in the sound")
    drawn = spectrograms(waves[worst], reference[worst], rate)
    return Half("\n".join(said + told), (drawn,), (float(spectra.mean()), float(loud.mean())), worst)


def _alike(uncached: dict, cached: dict) -> tuple[list[str], Tensor, Tensor, int]:
    """Words on the part left out, both waves `(B, C, T)` as far as both go, cached and uncached, and their samples in a
    second."""
    rates, waves = [x["sample_rate"] for x in (uncached, cached)], [_wave(uncached, UNCACHED), _wave(cached, CACHED)]
    if rates[0] != rates[1]:
        raise ConfigError(
            f"{UNCACHED} has {rates[0]} samples a second and {CACHED} {rates[1]}; both need one rate. Resample one."
        )
    if waves[0].shape[:2] != waves[1].shape[:2]:
        one, other = (f"{len(x)} of {x.shape[1]} channels" for x in waves)
        raise ConfigError(f"{UNCACHED} is {one} and {CACHED} is {other}; both need one number. Split or mix one.")
    lengths = [x.shape[-1] for x in waves]
    seconds = [f"{n / rates[0]:.3f} s" for n in lengths]
    if abs(lengths[0] - lengths[1]) > SLACK * rates[0]:
        raise ConfigError(
            f"{UNCACHED} lasts {seconds[0]} and {CACHED} {seconds[1]}; they may differ by {SLACK} s. Trim one."
        )
    said = f"compared as far as both go: {UNCACHED} lasts {seconds[0]}, {CACHED} {seconds[1]}"
    told = [said] if lengths[0] != lengths[1] else []
    return told, waves[1][..., : min(lengths)], waves[0][..., : min(lengths)], rates[0]


def _wave(audio: dict, name: str) -> Tensor:
    """The wave of an AUDIO, `(B, C, T)`, in host memory. Raises ConfigError without samples or with any not finite."""
    wave = audio["waveform"].cpu()
    if not wave.numel():
        raise ConfigError(f"{name} has no samples. Connect one that lasts longer.")
    if not wave.isfinite().all():
        raise ConfigError(
            f"{name} has samples that are no finite numbers: its model or VAE overflowed. Run that in a higher "
            f"precision, as with --fp32-vae."
        )
    return wave

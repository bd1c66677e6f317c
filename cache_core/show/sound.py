"""Likeness of two sounds: the cosine of their spectra, the ratio of their loudness, and the spectra themselves."""

import torch
from torch import Tensor

WINDOW, HOP = 2048, 512  # samples of a Hann window, and from one to the next
STEP = 2.0**-15  # of 16-bit sound in [-1, 1]; what lies below counts as silence
PEAK = 2.0  # width of the range of a sound, [-1, 1], for its PSNR


def magnitudes(channel: Tensor) -> Tensor:
    """Magnitudes of the spectrum over time of one channel `(T,)`: `(1025, 1 + T // 512)`, float32.

    Hann windows of 2048 samples, silence before the first and after the last one.
    """
    window = torch.hann_window(WINDOW)
    wave = channel.float()  # minutes of sound are half as large, and thrice as fast, as in float64
    return torch.stft(wave, WINDOW, HOP, window=window, center=True, pad_mode="constant", return_complex=True).abs()


def spectral_cosine(sounds: Tensor, reference: Tensor) -> Tensor:
    """Cosine of the magnitudes of the spectra of `(B, C, T)`, mean over channels, float64, `(B,)`; 1 = alike.

    `(a . b + e) / sqrt((a . a + e) (b . b + e))`, over all frequencies and times. It does not hear phase, nor one
    factor on all. `e` is the energy of noise of one step of 16 bits, so that silence is like silence (1) and like
    nothing else (0). vLLM-Omni, pull request 5840, gives it for MiniMax H3, its window unnamed.
    """
    return torch.stack(
        [
            torch.stack([_cosine(magnitudes(a), magnitudes(b)) for a, b in zip(*pair, strict=True)]).mean()
            for pair in zip(sounds, reference, strict=True)
        ]
    )


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    floor = STEP**2 * torch.hann_window(WINDOW).square().sum() * a.numel()
    aa, bb, ab = ((x * y).sum(dtype=torch.float64) + floor for x, y in ((a, a), (b, b), (a, b)))
    return ab / (aa * bb).sqrt()


def rms_ratio(sounds: Tensor, reference: Tensor) -> Tensor:
    """Root mean square of `(B, C, T)` as a multiple of the reference's, mean over channels, float64, `(B,)`.

    `rms(x) / rms(y)`, neither taken below one step of 16 bits: 1 = as loud, 0.5 = 6 dB quieter. vLLM-Omni, pull
    request 5840, and ComfyUI, issue 15326, give it for MiniMax H3.
    """
    loud, reference_loud = (x.double().square().mean(-1).sqrt().clamp(min=STEP) for x in (sounds, reference))
    return (loud / reference_loud).mean(-1)

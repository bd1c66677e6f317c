"""Cache Compare."""

from pathlib import Path

from ..cache_core.errors import ConfigError
from ..cache_core.show.similarity import difference, psnr, ssim, to_the_eye, wipe
from .compared_sound import CACHED, MOST, NO_SOUND, UNCACHED, Half, absent, both, compared_sounds
from .widgets import inputs, number

NO_PICTURES = "No pictures were compared: connect uncached and cached."
NOTHING = "Nothing is connected. Connect uncached and cached, or uncached_audio and cached_audio, or all four."
TOOLTIPS = {
    "uncached": "The picture, or the frames, without a cache.",
    "cached": "The same with a cache: same seed, same prompt, same size.",
    "amplify": "How many times brighter the difference is shown.",
    "wipe_at": "Where the wipe is: 0 shows the cached picture only, 1 the uncached one.",
    "uncached_audio": "The sound without a cache, alone or beside its frames.",
    "cached_audio": "The same with a cache: same seed, same prompt, same length.",
}


class CacheCompare:
    """The node Cache Compare."""

    CATEGORY = "model/patch"
    SEARCH_ALIASES = ["compare images", "compare audio", "psnr", "ssim", "difference", "spectrogram"]
    DESCRIPTION = (
        "How far a cached picture, or a cached sound, is from the uncached one of the same seed: PSNR and SSIM, "
        "spectral cosine and RMS ratio in numbers, the difference as a picture, both pictures side by side behind a "
        "wipe, and both spectrograms."
    )
    RETURN_TYPES = ("IMAGE", "IMAGE", "STRING", "FLOAT", "FLOAT", "IMAGE", "FLOAT", "FLOAT")
    RETURN_NAMES = ("difference", "wipe", "text", "psnr", "ssim", "spectrograms", "spectral_cosine", "rms_ratio")
    OUTPUT_TOOLTIPS = (
        "The absolute difference, brightened.",
        "The uncached picture left of the wipe, the cached one right of it.",
        "The numbers, as text.",
        "PSNR in dB, mean over the batch; more is closer, 100 where nothing differs.",
        "SSIM, mean over the batch; 1 is alike.",
        "Spectrograms of the uncached and the cached sound, and their difference, in dB.",
        "Cosine of both sounds' spectra, mean over channels and batch; 1 is alike.",
        "Loudness (RMS) of the cached sound as a multiple of the uncached one's; 1 is alike, 0.5 is 6 dB quieter.",
    )
    FUNCTION, OUTPUT_NODE = "compare", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        # The pictures were required once. The page knows inputs by name and gives sockets places before widgets', so
        # both groups load alike.
        required = {"amplify": number(4.0, 1.0, 64.0, 0.5), "wipe_at": number(0.5, 0.0, 1.0, 0.01)}
        optional = {
            "uncached": ("IMAGE",),
            "cached": ("IMAGE",),
            "uncached_audio": ("AUDIO",),
            "cached_audio": ("AUDIO",),
        }
        return inputs(TOOLTIPS, required=required, optional=optional)

    def compare(self, amplify, wipe_at, uncached=None, cached=None, uncached_audio=None, cached_audio=None) -> dict:
        """Both pictures and both spectrograms for the page, the differences, and the numbers."""
        seen = both({"uncached": uncached, "cached": cached})
        heard = both({UNCACHED: uncached_audio, CACHED: cached_audio})
        if not seen and not heard:
            raise ConfigError(NOTHING)
        pictures = compared_pictures(uncached, cached, amplify, wipe_at) if seen else absent(NO_PICTURES, 2)
        sounds = compared_sounds(uncached_audio, cached_audio) if heard else absent(NO_SOUND, 1)
        text = "\n".join(filter(None, (pictures.text, sounds.text)))
        ui: dict = {"text": (text,)}
        if seen:
            ui["a_images"] = shown_on_page(uncached[pictures.worst], "uncached")
            ui["b_images"] = shown_on_page(cached[pictures.worst], "cached")
        if heard:
            ui["spectrograms"] = shown_on_page(sounds.drawn[0][0], "spectrograms")
        return {"ui": ui, "result": (*pictures.drawn, text, *pictures.numbers, *sounds.drawn, *sounds.numbers)}


def compared_pictures(uncached, cached, amplify: float, wipe_at: float) -> Half:
    """Numbers, difference and wipe of two batches of pictures `(B, H, W, C)`."""
    if uncached.shape != cached.shape:
        raise ConfigError(
            f"uncached is {_size(uncached)} and cached is {_size(cached)}; both need one size and number. Resize one."
        )
    near, alike = psnr(cached, uncached).clamp(max=MOST), ssim(cached, uncached)
    drawn = difference(cached, uncached, amplify), wipe(cached, uncached, wipe_at)
    return Half(described(near, alike), drawn, (float(near.mean()), float(alike.mean())), int(near.argmin()))


def described(near, alike) -> str:
    """PSNR (dB) and SSIM of a batch, in words; both of shape `(batch,)`."""
    lines = [f"PSNR {float(near.mean()):.2f} dB ({to_the_eye(float(near.mean()))}), SSIM {float(alike.mean()):.4f}"]
    if len(near) > 1:
        worst = f"worst: PSNR {float(near.min()):.2f} dB, SSIM {float(alike.min()):.4f}, at {int(near.argmin())}"
        lines.append(f"mean of {len(near)}; {worst}")
    if float(near.min()) == MOST:
        lines.append("nothing differs")
    return "\n".join(lines)


def shown_on_page(picture, name: str) -> list[dict]:
    """The place of a picture `(H, W, 3)`, saved to ComfyUI's folder for previews, as the page wants it; empty outside
    ComfyUI."""
    try:
        import folder_paths
    except ImportError:
        return []
    import numpy as np
    from PIL import Image

    height, width = picture.shape[:2]
    folder, stem, count, subfolder, _ = folder_paths.get_save_image_path(
        f"feb_cache_{name}", folder_paths.get_temp_directory(), width, height
    )
    file = f"{stem}_{count:05}_.png"
    drawn = Image.fromarray((picture.clamp(0, 1) * 255).round().cpu().numpy().astype(np.uint8))
    drawn.save(Path(folder) / file, compress_level=1)
    return [{"filename": file, "subfolder": subfolder, "type": "temp"}]


def _size(pictures) -> str:
    return f"{len(pictures)} of {pictures.shape[2]} x {pictures.shape[1]}"

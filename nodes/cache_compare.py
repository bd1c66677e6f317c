"""Cache Compare."""

from pathlib import Path

from ..cache_core.errors import ConfigError
from ..cache_core.show.similarity import difference, psnr, ssim, wipe
from .widgets import inputs, number, slider

MOST = 100.0  # dB, where nothing differs
TOOLTIPS = {
    "uncached": "The picture, or the frames, without a cache.",
    "cached": "The same with a cache: same seed, same prompt, same size.",
    "amplify": "How many times brighter the difference is shown.",
    "wipe_at": "Where the wipe is: 0 shows the cached picture only, 1 the uncached one.",
}


class CacheCompare:
    """The node Cache Compare."""

    CATEGORY = "model_patches/acceleration"
    SEARCH_ALIASES = ["compare images", "psnr", "ssim", "difference"]
    DESCRIPTION = (
        "How far a cached picture is from the uncached one of the same seed: PSNR and SSIM in numbers, the difference "
        "as a picture, and both pictures side by side behind a wipe."
    )
    RETURN_TYPES = ("IMAGE", "IMAGE", "STRING", "FLOAT", "FLOAT")
    RETURN_NAMES = ("difference", "wipe", "text", "psnr", "ssim")
    OUTPUT_TOOLTIPS = (
        "The absolute difference, brightened.",
        "The uncached picture left of the wipe, the cached one right of it.",
        "The numbers, as text.",
        "PSNR in dB, mean over the batch; more is closer, 100 where nothing differs.",
        "SSIM, mean over the batch; 1 is alike.",
    )
    FUNCTION, OUTPUT_NODE = "compare", True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        required = {
            "uncached": ("IMAGE",),
            "cached": ("IMAGE",),
            "amplify": number(4.0, 1.0, 64.0, 0.5),
            "wipe_at": slider(0.5, 0.0, 1.0, 0.01),
        }
        return inputs(TOOLTIPS, required=required)

    def compare(self, uncached, cached, amplify: float, wipe_at: float) -> dict:
        """Both pictures for the page, their difference, and the numbers."""
        if uncached.shape != cached.shape:
            raise ConfigError(
                f"uncached is {_size(uncached)} and cached is {_size(cached)}; both need one size and number. Resize "
                f"one."
            )
        near, alike = psnr(cached, uncached).clamp(max=MOST), ssim(cached, uncached)
        text = described(near, alike)
        shown = difference(cached, uncached, amplify), wipe(cached, uncached, wipe_at)
        worst = int(near.argmin())
        ui = {
            "text": (text,),
            "a_images": shown_on_page(uncached[worst], "uncached"),
            "b_images": shown_on_page(cached[worst], "cached"),
        }
        return {"ui": ui, "result": (*shown, text, float(near.mean()), float(alike.mean()))}


def described(near, alike) -> str:
    """PSNR (dB) and SSIM of a batch, in words; both of shape `(batch,)`."""
    lines = [f"PSNR {float(near.mean()):.2f} dB, SSIM {float(alike.mean()):.4f}"]
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

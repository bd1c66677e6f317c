"""Cache Compare."""

from pathlib import Path

from ..cache_core import ConfigError
from ..cache_core.show.similarity import difference, psnr, ssim, wipe


class CacheCompare:
    CATEGORY = "model_patches/acceleration"
    SEARCH_ALIASES = ["compare images", "psnr", "ssim", "difference"]
    DESCRIPTION = (
        "How far a cached picture is from the uncached one of the same seed: PSNR and SSIM in numbers, the difference "
        "as a picture, and "
        "both pictures side by side behind a wipe."
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
        return {
            "required": {
                "uncached": ("IMAGE", {"tooltip": "The picture, or the frames, without a cache."}),
                "cached": ("IMAGE", {"tooltip": "The same with a cache: same seed, same prompt, same size."}),
                "amplify": (
                    "FLOAT",
                    {
                        "default": 4.0,
                        "min": 1.0,
                        "max": 64.0,
                        "step": 0.5,
                        "round": False,
                        "tooltip": "How many times brighter the difference is shown.",
                    },
                ),
                "wipe_at": (
                    "FLOAT",
                    {
                        "default": 0.5,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.01,
                        "round": False,
                        "display": "slider",
                        "tooltip": "Where the wipe is: 0 shows the cached picture only, 1 the uncached one.",
                    },
                ),
            }
        }

    def compare(self, uncached, cached, amplify: float, wipe_at: float) -> dict:
        if uncached.shape != cached.shape:
            raise ConfigError(
                f"uncached is {_size(uncached)} and cached is {_size(cached)}; both must be of one size and number."
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


MOST = 100.0  # dB, where nothing differs


def described(near, alike) -> str:
    """The numbers of a batch, in words."""
    lines = [f"PSNR {float(near.mean()):.2f} dB, SSIM {float(alike.mean()):.4f}"]
    if len(near) > 1:
        lines.append(
            f"mean of {len(near)}; worst: PSNR {float(near.min()):.2f} dB, SSIM {float(alike.min()):.4f}, at "
            f"{int(near.argmin())}"
        )
    if float(near.min()) == MOST:
        lines.append("nothing differs")
    return "\n".join(lines)


def shown_on_page(picture, name: str) -> list[dict]:
    """What the page needs to show the picture, `(H, W, 3)`, which is saved to ComfyUI's folder for previews; nothing
    outside ComfyUI."""
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

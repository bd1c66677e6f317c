"""Names of plan files that lead elsewhere, and a folder of plans with links that do."""

from itertools import product
from pathlib import Path

SECRET = "secret.safetensors"  # a sound plan that lies outside the folder


def names(folder: Path) -> list[str]:
    """Names that lead out of `folder` on some system, or that none should take, and some without harm."""
    places = (
        *("../", "..\\", "./", "a/../../", "bundled/", "bundled/../", "bundled/../../../", "C:", "C:\\"),
        *("\\\\host\\share\\", "//host/share/", "/", "~/", "file://", "%2e%2e/", f"{folder.parent}/", "link/"),
        *("\x00", "\u2025/", " ../"),
    )
    ends = (
        *(SECRET, "new.safetensors", "", ".safetensors", "..", "\x00.safetensors", "secret.safetensors\x00"),
        *("a" * 300 + ".safetensors", "file.py"),
    )
    stems = (
        *("linked", "dangling", "loop", "folder", "nul", "COM1", "con ", "aux.x", "x:y", "x?", "x*", "a\nb"),
        *("\ud800", "\u202e", "", " ", ".", "é" * 150, "kept", "größe 1.2 (b)", "计划"),
    )
    alone = (*(f"{stem}.safetensors" for stem in stems), "x.safetensors:stream", ".", "..", "", " ", "plan.txt", "plan")
    return [*alone, *map("".join, product(places, ends))]


def furnish(root: Path, plan: bytes) -> Path:
    """A folder of plans in `root`, with links that lead out of it and a plan beside it that nobody may read."""
    folder = root / "models" / "cache_plans"
    folder.mkdir(parents=True)
    (folder / "kept.safetensors").write_bytes(plan)
    (folder / "folder.safetensors").mkdir()
    for place in (root / "models", root):
        (place / SECRET).write_bytes(plan.replace(b"Flux", b"Leak"))
    (folder / "linked.safetensors").symlink_to(root / SECRET)
    (folder / "dangling.safetensors").symlink_to(root / "made.safetensors")
    (folder / "loop.safetensors").symlink_to(folder / "loop.safetensors")
    (folder / "link").symlink_to(root)
    return folder


def outside(root: Path, folder: Path) -> dict[str, bytes]:
    """Every file below `root` that is not in `folder`."""
    return {
        str(path): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if folder not in path.parents and path.is_file()
    }

"""Files that are never seen half written."""

from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` under a name of its own, then move it to `path`. Raises OSError where the disk does not take it; what was there stays."""
    part = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(data)
    part.replace(path)

"""Files that are always whole, whoever else writes and reads them."""

import secrets
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

LEFT = 3600  # seconds after which a part belongs to a process that died
PARTS = f"*.{'[0-9a-f]' * 16}.part"
TRIES, PAUSE = 8, 0.01  # Windows replaces no file that somebody reads; the pauses take 1.3 s in all


def write_atomically(path: Path, content: bytes) -> None:
    """Make `content` the file at `path`, in one step: a reader finds the old file or the new one, never a part.

    Of several writers the last one wins. The folder is made if it is missing. Raises OSError where the disk does not
    take the file; the old one then stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    drop_leftovers(path.parent)
    part = path.with_name(f"{path.stem}.{secrets.token_hex(8)}.part")  # a name that no other process has
    try:
        with part.open("xb") as file:  # x: a new one, never through a link
            file.write(content)
        _replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@cache
def takes_files(folder: Path) -> bool:
    """True if a file can be put into `folder`, which is made if it is missing. Tried once for each folder."""
    trial = folder / ".writable"
    try:
        write_atomically(trial, b"")
        trial.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _replace(part: Path, path: Path) -> None:
    for tried in range(TRIES):
        try:
            part.replace(path)
        except PermissionError:
            if tried == TRIES - 1:
                raise
            time.sleep(PAUSE * 2**tried)
        else:
            return


def drop_leftovers(folder: Path) -> None:
    """Delete the parts in `folder` that nobody writes any more, as far as the disk lets them be deleted."""
    for part in folder.glob(PARTS):
        with suppress(OSError):
            if time.time() - part.lstat().st_mtime > LEFT:
                part.unlink()


def start_of(path: Path, most: int) -> bytes:
    """First `most` bytes of the file at `path`. Raises OSError if there is none that can be read."""
    with path.open("rb") as file:
        return file.read(most)

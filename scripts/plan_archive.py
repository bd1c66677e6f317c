"""Archives of plans, to take them from one library to another."""

import os
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

from cache_core.errors import ConfigError
from cache_core.files import write_atomically
from cache_core.saved_plan.file import MOST_BYTES, load
from cache_core.saved_plan.library import SETTLED, SUFFIX, is_name, modified


def export(paths: Iterable[Path], archive: Path) -> int:
    """Write plans into one archive (zip), and return their number. Raises OSError."""
    count = 0
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in paths:
            file.write(path, path.name)
            count += 1
    return count


def take_in(archive: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Put the plans of an archive into `folder`: names of those taken, and problems of those left out.

    Only plans that can be read are taken, by plain names; one that is there already stays if it is newer.
    """
    taken: list[str] = []
    problems: list[str] = []
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            problem = _unfit(entry, folder)
            if not problem:
                problem = _taken(file.read(entry), folder / entry.filename)
            (problems if problem else taken).append(f"{entry.filename}: {problem}" if problem else entry.filename)
    return taken, problems


def _unfit(entry: zipfile.ZipInfo, folder: Path) -> str:
    """The reason why an entry of an archive is left out; empty if it is not."""
    if not is_name(entry.filename):
        return "not the name of a plan"
    if entry.file_size > MOST_BYTES:
        return f"{entry.file_size} bytes; a plan has {MOST_BYTES} at most"
    when = time.mktime((*entry.date_time, 0, 0, -1))
    return "a newer one is there" if modified(folder / entry.filename) > when + SETTLED else ""


def _taken(content: bytes, path: Path) -> str:
    """Write a plan beside others; the problem where it is none, and then nothing is left of it."""
    trial = path.with_name(f"taking_in_{os.getpid()}{SUFFIX}")
    try:
        write_atomically(trial, content)
        load(trial)
        trial.replace(path)
    except (ConfigError, OSError) as error:
        return str(error).replace(trial.name, path.name)
    finally:
        trial.unlink(missing_ok=True)
    return ""

"""Archives of plans and profiles, to take them from one library to another."""

import os
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

from cache_core.errors import ConfigError
from cache_core.files import write_atomically
from cache_core.methods import Profile, profile_file
from cache_core.methods.profile_file import is_profile_name, load_profile
from cache_core.saved_plan.file import MOST_BYTES, load
from cache_core.saved_plan.library import SETTLED, is_name, modified
from cache_core.saved_plan.saved_plan import SavedPlan


def read(path: Path) -> SavedPlan | Profile:
    """The plan or the profile in a file, by the end of its name. Raises ConfigError and OSError."""
    return load_profile(path) if path.suffix == profile_file.SUFFIX else load(path)


def export(paths: Iterable[Path], archive: Path) -> int:
    """Write files into one archive (zip), and return their number. Raises OSError."""
    count = 0
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in paths:
            file.write(path, path.name)
            count += 1
    return count


def take_in(archive: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Put the plans and profiles of an archive into `folder`: names of those taken, and problems of those left out.

    Only what can be read is taken, by plain names; a file that is there already stays if it is newer.
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
    recorded = is_profile_name(entry.filename)
    if not recorded and not is_name(entry.filename):
        return "not the name of a plan or profile"
    most, kind = (profile_file.MOST_BYTES, "profile") if recorded else (MOST_BYTES, "plan")
    if entry.file_size > most:
        return f"{entry.file_size} bytes; a {kind} has {most} at most"
    when = time.mktime((*entry.date_time, 0, 0, -1))
    return "a newer one is there" if modified(folder / entry.filename) > when + SETTLED else ""


def _taken(content: bytes, path: Path) -> str:
    """Write a file beside others; the problem where it cannot be read, and then nothing is left of it."""
    trial = path.with_name(f"taking_in_{os.getpid()}{path.suffix}")
    try:
        write_atomically(trial, content)
        read(trial)
        trial.replace(path)
    except (ConfigError, OSError) as error:
        return str(error).replace(trial.name, path.name)
    finally:
        trial.unlink(missing_ok=True)
    return ""

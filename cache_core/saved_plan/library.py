"""Plan files of one or more folders, which several servers may share: names, look-up by key, upkeep.

There is no index. A file's name ends with the key that it is found by. Writers put whole files in place
(files.write_atomically), so a reader finds the old plan or the new one.
"""

import re
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from os import listdir
from pathlib import Path

from ..errors import ConfigError
from .file import load
from .saved_plan import SavedPlan

SUFFIX = ".safetensors"
# names that Windows opens in any folder
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
UNFIT = re.compile(r'[<>:"/\\|?*]')  # letters that names lack on some system
LONGEST = 200  # bytes of a name; file systems take 255, and other files are named after some
SETTLED = 2.0  # seconds after its last change from which on a folder's time tells every further change


@dataclass
class Listing:
    """Names of the files in a folder as they were read at `read_at` seconds, and those of plans, by key; `changed`: the
    folder's time, in ns."""

    changed: int = 0
    read_at: float = 0.0
    names: frozenset[str] = frozenset()
    by_key: dict[str, list[str]] = field(default_factory=dict)

    def updated(self, changed: int, names: frozenset[str]) -> "Listing":
        """The listing with these names. Only what has come and gone is looked at: of 10,000 names that is little."""
        by_key = dict(self.by_key)
        for name in self.names - names:
            key = key_in(name)
            others = [other for other in by_key.pop(key, []) if other != name]
            by_key |= {key: others} if others else {}
        for name in filter(is_name, names - self.names):
            key = key_in(name)
            by_key[key] = [*by_key.get(key, []), name]
        return Listing(changed, time.time(), names, by_key)


_listings: dict[Path, Listing] = {}  # of the folders as last read


def is_name(name: str) -> bool:
    """True if `name` is the name of a plan's file on every system: no folder, drive, stream or device, and nothing that
    cannot be read."""
    stem = name.removesuffix(SUFFIX)
    plain = name.isprintable() and not UNFIT.search(name) and len(name.encode(errors="replace")) <= LONGEST
    kept = stem != name and stem.strip(" .") == stem != ""  # Windows would drop blanks and dots at the end
    return plain and kept and stem.partition(".")[0].rstrip().lower() not in DEVICES


def key_in(name: str) -> str:
    """The key that a plan's file is found by: the part of its name behind the last underscore."""
    return name.removesuffix(SUFFIX).rpartition("_")[2]


def listed(folder: Path) -> dict[str, list[str]]:
    """Names that end like a plan's in `folder`, by key; read anew only where the folder has changed."""
    try:
        changed = folder.stat().st_mtime_ns
        known = _listings.get(folder)
        if known and known.changed == changed and known.read_at - changed / 1e9 > SETTLED:
            return known.by_key
        names = frozenset(listdir(folder))  # a path for each of them would take twice the time
        read = _listings[folder] = (known or Listing()).updated(changed, names)
    except OSError:
        return {}
    return read.by_key


def is_plan(path: Path) -> bool:
    """True if this is a file, and no link, which may lead out of its folder."""
    return path.is_file() and not path.is_symlink()


def modified(path: Path) -> float:
    """Time of a file's last change, in seconds; 0 where another server has just taken it away."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def found(folders: Sequence[Path], key: str) -> list[Path]:
    """Files of the plan under `key`: by the order of the folders, in one the newest first."""
    files = []
    for folder in folders:
        own = [path for name in listed(folder).get(key, ()) if is_plan(path := folder / name)]
        files += sorted(own, key=modified, reverse=True)
    return files


def all_files(folders: Sequence[Path]) -> list[Path]:
    """Files of all plans, newest first; of one name in several folders that of the first."""
    first: dict[str, Path] = {}
    for folder in folders:
        for names in listed(folder).values():
            for name in names:
                first.setdefault(name, folder / name)
    return sorted(filter(is_plan, first.values()), key=modified, reverse=True)


@dataclass(frozen=True)
class Checked:
    """A file of the library: its plan, or the reason why there is none."""

    path: Path
    plan: SavedPlan | None = None
    problem: str = ""


def checked(paths: Iterable[Path]) -> Iterator[Checked]:
    """Each file with its plan, or with its problem."""
    for path in paths:
        try:
            yield Checked(path, load(path))
        except ConfigError as error:
            yield Checked(path, problem=str(error))


def is_old(path: Path, days: float, now: float | None = None) -> bool:
    """True if a file was changed longer ago than `days`; 0 = no limit."""
    before = (time.time() if now is None else now) - days * 86400
    return days > 0 and modified(path) < before


def stale(folder: Path, days: float = 0.0, models: Collection[str] | None = None, now: float | None = None) -> list:
    """Files to prune: older than `days` (0 = no limit), or, where `models` are given, for a model file that is not
    among those names."""
    known = None if models is None else tuple(models)
    return [
        path
        for path in all_files([folder])
        if is_old(path, days, now) or (known is not None and not path.name.startswith(known))
    ]

#!/usr/bin/env python3
"""The plan library: list, show, verify, prune, export and import plans, and the profiles beside them.

    python3 scripts/plans.py list DIR
    python3 scripts/plans.py show DIR NAME
    python3 scripts/plans.py verify DIR
    python3 scripts/plans.py prune DIR [--days 90] [--models MODELS_DIR] [--dry-run]
    python3 scripts/plans.py export DIR ARCHIVE.zip
    python3 scripts/plans.py import DIR ARCHIVE.zip

DIR is the folder of plans, such as ComfyUI's models/cache_plans. A profile is a file profile_*.json: curves that Cache
Method has recorded of a picture. Its name tells no model, so that --models leaves it alone; --days does not. Needs
torch, as ComfyUI's interpreter has. Exits with 1 where a file cannot be read, and with 2 for a folder or file that is
not there.
"""

import argparse
import re
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cache_core.errors import ConfigError  # noqa: E402
from cache_core.methods import Profile  # noqa: E402
from cache_core.methods.profile_file import all_profiles  # noqa: E402
from cache_core.saved_plan import library  # noqa: E402
from scripts import plan_archive  # noqa: E402

MODELS = (".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin")


def model_names(folder: Path) -> list[str]:
    """Stems of the model files below `folder`, as names of plans begin with them."""
    return [_plain(path.stem) for path in folder.rglob("*") if path.suffix.lower() in MODELS]


def _plain(part: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", part, flags=re.ASCII).strip("-._")[:40]


def kept(folder: Path) -> list[Path]:
    """Files of all plans, newest first, then those of the profiles."""
    return [*library.all_files([folder]), *all_profiles(folder)]


def list_files(folder: Path) -> int:
    """A line for each plan, newest first, then for each profile."""
    for path in kept(folder):
        print(path.name)
    return 0


def show(folder: Path, name: str) -> int:
    """The content of a plan or profile, as text."""
    found = plan_archive.read(folder / name)
    print(curves(found) if isinstance(found, Profile) else found.text())
    return 0


def curves(profile: Profile) -> str:
    """A line on a profile."""
    steps, ends = len(profile.sigmas), f"sigma {profile.sigmas[0]:g} to {profile.sigmas[-1]:g}"
    parts = [f"{len(profile.means[0])} channels"] if profile.means else []
    return ", ".join((f"curves of {steps} steps", ends, *parts, *(["guidance"] if profile.guidance else [])))


def verify(folder: Path) -> int:
    """A line for each file that cannot be read; 1 if there is one."""
    plans, profiles = library.all_files([folder]), all_profiles(folder)
    bad = [list(filter(None, map(problem, files))) for files in (plans, profiles)]
    for line in (*bad[0], *bad[1]):
        print(line)
    print(f"{len(bad[0])} of {len(plans)} plans cannot be read, {len(bad[1])} of {len(profiles)} profiles")
    return 1 if any(bad) else 0


def problem(path: Path) -> str:
    """The reason why a file cannot be read, with its name; empty if it can."""
    try:
        plan_archive.read(path)
    except (ConfigError, OSError) as error:
        return f"{path.name}: {str(error).removeprefix(f'{path.name}: ')}"
    return ""


def stale(folder: Path, days: float, models: Path | None) -> list[Path]:
    """Plans that are old, or whose model is gone, and profiles that are old."""
    plans = library.stale(folder, days, None if models is None else model_names(models))
    return plans + [path for path in all_profiles(folder) if library.is_old(path, days)]


def prune(folder: Path, days: float, models: Path | None, dry_run: bool) -> int:
    """Delete what is stale, with a line for each file."""
    for path in stale(folder, days, models):
        print(f"{'would delete' if dry_run else 'deleted'} {path.name}")
        if not dry_run:
            path.unlink(missing_ok=True)
    return 0


def take_in(folder: Path, archive: Path) -> int:
    """Import plans and profiles; 1 if one was left out."""
    taken, problems = plan_archive.take_in(archive, folder)
    for line in problems:
        print(line)
    print(f"{len(taken)} files imported, {len(problems)} left out")
    return 1 if problems else 0


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    each = {name: commands.add_parser(name) for name in ("list", "show", "verify", "prune", "export", "import")}
    for command in each.values():
        command.add_argument("folder", type=Path)
    each["show"].add_argument("name")
    each["prune"].add_argument("--days", type=float, default=0.0, help="delete plans and profiles older than this")
    each["prune"].add_argument("--models", type=Path, help="delete plans of models that are not in this folder")
    each["prune"].add_argument("--dry-run", action="store_true")
    for name in ("export", "import"):
        each[name].add_argument("archive", type=Path)
    return parser.parse_args(arguments)


def run(given: argparse.Namespace) -> int:
    """Carry out one command. Raises OSError, ValueError and BadZipFile."""
    if not given.folder.is_dir():
        raise NotADirectoryError(f"{given.folder} is no folder. Name the folder of plans, such as models/cache_plans.")
    match given.command:
        case "list":
            return list_files(given.folder)
        case "show":
            return show(given.folder, given.name)
        case "verify":
            return verify(given.folder)
        case "prune":
            return prune(given.folder, given.days, given.models, given.dry_run)
        case "export":
            print(f"{plan_archive.export(kept(given.folder), given.archive)} files exported")
            return 0
    return take_in(given.folder, given.archive)


def main(arguments: list[str] | None = None) -> int:
    try:
        return run(parsed(arguments))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

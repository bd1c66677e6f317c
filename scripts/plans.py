#!/usr/bin/env python3
"""The plan library: list, show, verify, prune, export and import plan files.

    python3 scripts/plans.py list DIR
    python3 scripts/plans.py show DIR NAME
    python3 scripts/plans.py verify DIR
    python3 scripts/plans.py prune DIR [--days 90] [--models MODELS_DIR] [--dry-run]
    python3 scripts/plans.py export DIR ARCHIVE.zip
    python3 scripts/plans.py import DIR ARCHIVE.zip

DIR is the folder of plans, such as ComfyUI's models/cache_plans. Needs torch, as ComfyUI's interpreter has. Exits with
1 where a plan cannot be read, and with 2 for a folder or file that is not there.
"""

import argparse
import re
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cache_core.saved_plan import library  # noqa: E402
from cache_core.saved_plan.file import load  # noqa: E402
from scripts import plan_archive  # noqa: E402

MODELS = (".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin")


def model_names(folder: Path) -> list[str]:
    """Stems of the model files below `folder`, as names of plans begin with them."""
    return [_plain(path.stem) for path in folder.rglob("*") if path.suffix.lower() in MODELS]


def _plain(part: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", part, flags=re.ASCII).strip("-._")[:40]


def list_plans(folder: Path) -> int:
    """A line for each plan, newest first."""
    for path in library.all_files([folder]):
        print(path.name)
    return 0


def show(folder: Path, name: str) -> int:
    """The content of a plan, as text."""
    print(load(folder / name).text())
    return 0


def verify(folder: Path) -> int:
    """A line for each file that cannot be read; 1 if there is one."""
    problems = [found for found in library.checked(library.all_files([folder])) if found.problem]
    for found in problems:
        print(found.problem)
    print(f"{len(problems)} of {len(library.all_files([folder]))} plans cannot be read")
    return 1 if problems else 0


def prune(folder: Path, days: float, models: Path | None, dry_run: bool) -> int:
    """Delete plans that are old, or whose model is gone."""
    names = None if models is None else model_names(models)
    for path in library.stale(folder, days, names):
        print(f"{'would delete' if dry_run else 'deleted'} {path.name}")
        if not dry_run:
            path.unlink(missing_ok=True)
    return 0


def take_in(folder: Path, archive: Path) -> int:
    """Import plans; 1 if one was left out."""
    taken, problems = plan_archive.take_in(archive, folder)
    for line in problems:
        print(line)
    print(f"{len(taken)} plans imported, {len(problems)} left out")
    return 1 if problems else 0


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    each = {name: commands.add_parser(name) for name in ("list", "show", "verify", "prune", "export", "import")}
    for command in each.values():
        command.add_argument("folder", type=Path)
    each["show"].add_argument("name")
    each["prune"].add_argument("--days", type=float, default=0.0, help="delete plans older than this")
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
            return list_plans(given.folder)
        case "show":
            return show(given.folder, given.name)
        case "verify":
            return verify(given.folder)
        case "prune":
            return prune(given.folder, given.days, given.models, given.dry_run)
        case "export":
            print(f"{plan_archive.export(library.all_files([given.folder]), given.archive)} plans exported")
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
